//! An SMTP server that keeps what it is given.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// The server, and what it was given.
pub(crate) struct SmtpServer {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    letters: Vec<Letter>,
    is_busy: bool,
}

/// A letter as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

impl SmtpServer {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let shared = kept.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, shared.clone()));
            }
        });
        Self { address, kept }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Takes nothing while it is busy.
    pub(crate) fn busy(&self, is_busy: bool) {
        self.kept.lock().unwrap().is_busy = is_busy;
    }

    /// What it was given since the last time.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        std::mem::take(&mut self.kept.lock().unwrap().letters)
    }
}

async fn talk(stream: TcpStream, kept: Arc<Mutex<Kept>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 here\r\n").await?;
    let mut letter = Letter::default();
    while let Some(line) = lines.next_line().await? {
        let inside = |line: &str| {
            let rest = line.split_once('<').map_or("", |(_, rest)| rest);
            rest.split('>').next().unwrap_or_default().to_owned()
        };
        let is_busy = kept.lock().unwrap().is_busy;
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => "250 here",
            "MAIL" if is_busy => "451 not now",
            "MAIL" => {
                letter.from = inside(&line);
                "250 good"
            }
            "RCPT" => {
                letter.to.push(inside(&line));
                "250 good"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    letter.text.push_str(&line);
                    letter.text.push('\n');
                }
                kept.lock().unwrap().letters.push(std::mem::take(&mut letter));
                "250 kept"
            }
            "QUIT" => "221 gone",
            _ => "502 what",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
