//! A web server on 0.0.0.0:8082: GET / answers with ./templates/index.html, seen from the working directory.
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const HEAD_LIMIT: u64 = 8192;

fn answer(mut client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut first = String::new();
    let mut lines = BufReader::new(client.try_clone()?).take(HEAD_LIMIT);
    lines.read_line(&mut first)?;
    let mut line = String::new();
    while lines.read_line(&mut line)? > 2 {
        line.clear();
    }
    let (status, kind, body) = if !first.starts_with("GET / ") {
        ("404 Not Found", "text/plain", b"Not found\n".to_vec())
    } else {
        match fs::read("./templates/index.html") {
            Ok(page) => ("200 OK", "text/html; charset=utf-8", page),
            Err(_) => ("500 Internal Server Error", "text/plain", b"Template error\n".to_vec()),
        }
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    client.write_all(&body)
}

fn main() -> io::Result<()> {
    for client in TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8082))?.incoming() {
        let Ok(client) = client else { continue };
        thread::spawn(move || answer(client));
    }
    Ok(())
}
