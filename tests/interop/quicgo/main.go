// SPDX-License-Identifier: BSD-3-Clause

// Datagrams (RFC 9221) over quic-go, by the protocol "echo", to test against.
//
//	quicgo-echo server --cert FILE --key FILE --port N       sends each back
//	quicgo-echo client --ca FILE --to ADDR:PORT --count N    sends so many, and wants each back
//
// The library's interface is another one in each version: see old.go and new.go.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"time"
)

type connection interface {
	send(data []byte) error
	receive(ctx context.Context) ([]byte, error)
	close()
}

var (
	ca    = flag.String("ca", "", "certificates to trust")
	cert  = flag.String("cert", "", "the server's certificate")
	key   = flag.String("key", "", "its key")
	port  = flag.Int("port", 443, "the server's port")
	to    = flag.String("to", "", "where the client connects to")
	count = flag.Int("count", 100, "datagrams that the client sends")
)

func config() *tls.Config {
	c := &tls.Config{NextProtos: []string{"echo"}, ServerName: "qlane.test"}
	if path := os.Getenv("SSLKEYLOGFILE"); path != "" {
		c.KeyLogWriter, _ = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0600)
	}
	return c
}

func echo(conn connection) {
	for {
		data, err := conn.receive(context.Background())
		if err != nil {
			return
		}
		if conn.send(data) != nil {
			return
		}
	}
}

func server() error {
	c := config()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	c.Certificates = []tls.Certificate{pair}
	accept, err := listen(fmt.Sprintf(":%d", *port), c)
	if err != nil {
		return err
	}
	for {
		conn, err := accept()
		if err != nil {
			return err
		}
		go echo(conn)
	}
}

func client() error {
	c := config()
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return err
	}
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AppendCertsFromPEM(pem)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := dial(ctx, *to, c)
	if err != nil {
		return err
	}
	defer conn.close()
	for i := 0; i < *count; i++ {
		text := fmt.Sprintf("datagram %d", i)
		if err := conn.send([]byte(text)); err != nil {
			return err
		}
		data, err := conn.receive(ctx)
		if err != nil {
			return err
		}
		if string(data) != text {
			return fmt.Errorf("'%s' did not come back", text)
		}
	}
	fmt.Printf("%d datagrams came back\n", *count)
	return nil
}

func main() {
	role := server
	if len(os.Args) > 1 && os.Args[1] == "client" {
		role = client
	}
	if len(os.Args) > 2 {
		flag.CommandLine.Parse(os.Args[2:])
	}
	if err := role(); err != nil {
		fmt.Fprintln(os.Stderr, "quicgo-echo:", err)
		os.Exit(1)
	}
}
