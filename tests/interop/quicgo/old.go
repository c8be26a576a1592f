// SPDX-License-Identifier: BSD-3-Clause
//go:build old

package main

import (
	"context"
	"crypto/tls"

	"github.com/lucas-clemente/quic-go"
)

type conn struct{ quic.Connection }

func (c conn) send(data []byte) error { return c.SendMessage(data) }

func (c conn) receive(context.Context) ([]byte, error) { return c.ReceiveMessage() }

func (c conn) close() { c.CloseWithError(0, "") }

func dial(ctx context.Context, to string, c *tls.Config) (connection, error) {
	q, err := quic.DialAddrContext(ctx, to, c, &quic.Config{EnableDatagrams: true})
	return conn{q}, err
}

func listen(address string, c *tls.Config) (func() (connection, error), error) {
	l, err := quic.ListenAddr(address, c, &quic.Config{EnableDatagrams: true})
	return func() (connection, error) {
		q, err := l.Accept(context.Background())
		return conn{q}, err
	}, err
}
