// SPDX-License-Identifier: BSD-3-Clause
//! A client and a server of HTTP/0.9 on quinn, to test against.
//!
//!     quinn-peer server --root DIR --cert FILE --key FILE --port N [--retry]
//!     quinn-peer client --ca FILE --out DIR --to ADDR:PORT [--alpn NAME] [--session] [--early]
//!                       [--rebind MS] [--datagrams N] [--version N] PATH...
//!
//! The client asks for all paths on one connection; with --session for the first on a connection of its
//! own, and for the others on one that resumes it, with --early in 0-RTT. --rebind: after so long it
//! goes on from another port. --datagrams: it sends so many, and the server sends each back (ALPN
//! "echo"). --version: of QUIC, to begin with. Both may be told by --chacha20 to have no other cipher
//! suite, and by --window N to give little credit.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, Endpoint, IdleTimeout, TransportConfig, VarInt};
use rustls::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Args {
    values: HashMap<String, String>,
    rest: Vec<String>,
}

impl Args {
    fn read(flags: &[&str]) -> Args {
        let mut args = Args { values: HashMap::new(), rest: Vec::new() };
        let mut words = std::env::args().skip(2);
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some(name) if flags.contains(&name) => {
                    args.values.insert(name.into(), String::new());
                }
                Some(name) => {
                    args.values.insert(name.into(), words.next().unwrap_or_default());
                }
                None => args.rest.push(word),
            }
        }
        args
    }

    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn get(&self, name: &str) -> Result<&str> {
        Ok(self.values.get(name).ok_or(format!("--{name} is missing"))?)
    }

    fn number(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.values.get(name).map(|v| v.parse()).transpose()?)
    }
}

fn transport(args: &Args) -> Result<Arc<TransportConfig>> {
    let mut config = TransportConfig::default();
    config.max_idle_timeout(Some(IdleTimeout::try_from(Duration::from_secs(60))?));
    config.datagram_receive_buffer_size(Some(65536));
    if let Some(window) = args.number("window")? {
        config.receive_window(VarInt::try_from(2 * window)?);
        config.stream_receive_window(VarInt::try_from(window)?);
    }
    Ok(Arc::new(config))
}

/// QUIC begins with AES-128-GCM, whichever suite TLS then agrees on; rustls wants to know it.
fn suites(args: &Args) -> Vec<rustls::SupportedCipherSuite> {
    if args.has("chacha20") {
        vec![TLS13_CHACHA20_POLY1305_SHA256]
    } else {
        vec![TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256]
    }
}

fn certificates(path: &str) -> Result<Vec<rustls::Certificate>> {
    let pem = fs::read(path)?;
    let ders = rustls_pemfile::certs(&mut &pem[..])?;
    Ok(ders.into_iter().map(rustls::Certificate).collect())
}

async fn answer(mut send: quinn::SendStream, recv: quinn::RecvStream, root: PathBuf) -> Result<()> {
    let request = recv.read_to_end(4096).await?;
    let path = std::str::from_utf8(&request)?
        .strip_prefix("GET /")
        .ok_or("not a GET")?
        .trim_end();
    if path.split('/').any(|part| part == "..") {
        return Err("outside of the root".into());
    }
    send.write_all(&fs::read(root.join(path))?).await?;
    send.finish().await?;
    Ok(())
}

async fn serve(connecting: quinn::Connecting, root: PathBuf) -> Result<()> {
    let conn = match connecting.into_0rtt() {
        Ok((conn, _)) => conn,
        Err(connecting) => connecting.await?,
    };
    let echo = conn.clone();
    tokio::spawn(async move {
        while let Ok(datagram) = echo.read_datagram().await {
            if echo.send_datagram(datagram).is_err() {
                break;
            }
        }
    });
    loop {
        let (send, recv) = conn.accept_bi().await?;
        let root = root.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(send, recv, root).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn server(args: Args) -> Result<()> {
    let key = fs::read(args.get("key")?)?;
    let key = rustls_pemfile::pkcs8_private_keys(&mut &key[..])?.remove(0);
    let mut tls = rustls::ServerConfig::builder()
        .with_cipher_suites(&suites(&args))
        .with_safe_default_kx_groups()
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates(args.get("cert")?)?, rustls::PrivateKey(key))?;
    tls.alpn_protocols = vec![b"hq-interop".to_vec(), b"echo".to_vec()];
    tls.max_early_data_size = u32::MAX;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config.transport = transport(&args)?;
    config.use_retry(args.has("retry"));
    let port = args.number("port")?.unwrap_or(443) as u16;
    let endpoint = Endpoint::server(config, SocketAddr::from(([0, 0, 0, 0], port)))?;
    let root = PathBuf::from(args.get("root")?);
    println!("ready");
    while let Some(connecting) = endpoint.accept().await {
        let root = root.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(connecting, root).await {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

async fn fetch(conn: Connection, path: String, file: PathBuf) -> Result<()> {
    let (mut send, recv) = conn.open_bi().await?;
    send.write_all(format!("GET /{path}\r\n").as_bytes()).await?;
    send.finish().await?;
    let data = recv.read_to_end(1 << 30).await?;
    fs::create_dir_all(file.parent().ok_or("no folder")?)?;
    fs::write(file, data)?;
    Ok(())
}

async fn fetch_all(conn: &Connection, paths: &[String], out: &str) -> Result<()> {
    let mut tasks = Vec::new();
    for path in paths {
        let file = PathBuf::from(out).join(path);
        tasks.push(tokio::spawn(fetch(conn.clone(), path.clone(), file)));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn datagrams(conn: &Connection, n: u64) -> Result<()> {
    for i in 0..n {
        let text = format!("datagram {i}");
        conn.send_datagram(text.clone().into())?;
        if conn.read_datagram().await? != text.as_bytes() {
            return Err(format!("'{text}' did not come back").into());
        }
    }
    println!("{n} datagrams came back");
    Ok(())
}

async fn client(args: Args) -> Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(args.get("ca")?)? {
        roots.add(&certificate)?;
    }
    let mut tls = rustls::ClientConfig::builder()
        .with_cipher_suites(&suites(&args))
        .with_safe_default_kx_groups()
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let alpn = args.get("alpn").unwrap_or("hq-interop");
    tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    tls.enable_early_data = args.has("early");
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(transport(&args)?);
    if let Some(version) = args.number("version")? {
        config.version(version as u32);
    }
    let mut endpoint = Endpoint::client(SocketAddr::from(([0, 0, 0, 0], 0)))?;
    endpoint.set_default_client_config(config);

    let to: SocketAddr = args.get("to")?.parse()?;
    let out = args.get("out")?;
    let mut conn = endpoint.connect(to, "qlane.test")?.await?;
    let mut paths = &args.rest[..];
    if args.has("session") {
        fetch_all(&conn, &paths[..1], out).await?;
        paths = &paths[1..];
        conn.close(0u32.into(), b"");
        let connecting = endpoint.connect(to, "qlane.test")?;
        conn = match connecting.into_0rtt() {
            Ok((conn, accepted)) => {
                tokio::spawn(async move { println!("0-RTT accepted: {}", accepted.await) });
                conn
            }
            Err(connecting) => connecting.await?,
        };
    }
    if let Some(ms) = args.number("rebind")? {
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            if let Ok(socket) = UdpSocket::bind("0.0.0.0:0") {
                println!("rebound: {}", endpoint.rebind(socket).is_ok());
            }
        });
    }
    match args.number("datagrams")? {
        Some(n) => datagrams(&conn, n).await?,
        None => fetch_all(&conn, paths, out).await?,
    }
    conn.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let flags = ["retry", "chacha20", "session", "early"];
    let result = match std::env::args().nth(1).as_deref() {
        Some("server") => server(Args::read(&flags)).await,
        Some("client") => client(Args::read(&flags)).await,
        _ => Err("the first argument is client or server".into()),
    };
    if let Err(error) = result {
        eprintln!("quinn-peer: {error}");
        std::process::exit(1);
    }
}
