//! An HTTP proxy in front of a server that does to chosen requests what networks do.
//!
//! Every request travels on a connection of its own to the server, so that a fault touches only
//! what it is meant for.

use std::{
    fmt,
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::UnboundedSender,
    task::AbortHandle,
    time::sleep,
};

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The server gets it; the answer is lost, and the connection with it.
    LoseAnswer,
    /// The server never gets it; the connection is lost.
    LoseRequest,
    /// The server gets it at once; the answer comes late.
    DelayAnswer(Duration),
    /// The server gets it late, whether or not the client still waits.
    DelayRequest(Duration),
    /// The server gets it; the answer breaks off in the middle of its body.
    CutAnswer,
    /// The server never gets it; this is the answer.
    Answer(u16, &'static str),
    /// The server gets it; this is the answer all the same.
    AnswerInstead(u16, &'static str),
    /// The server never gets it; there is never an answer.
    Hang,
    /// The server gets it, and it is told here when it has answered; there is never an answer.
    KeepAnswer(UnboundedSender<()>),
    /// The server gets it twice; the second answer is the answer.
    SendTwice,
    /// The server gets it; the answer comes twice.
    AnswerTwice,
    /// The server gets it; the answer comes byte by byte, with this pause behind each.
    Trickle(Duration),
    /// The server gets it; what it has stored it only says it has accepted.
    AcceptOnly,
}

/// What happens to a request with this first line.
type Rule = Box<dyn Fn(&str) -> Option<Fault> + Send + Sync>;

/// A proxy that listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    host: String,
    shared: Arc<Shared>,
    listening: AbortHandle,
}

struct Shared {
    upstream: String,
    rule: Mutex<Option<Rule>>,
    plan: Mutex<Vec<(String, Fault)>>,
    seen: Mutex<Vec<String>>,
}

impl Proxy {
    /// Listens on a port of its own in front of `upstream` (`host:port`).
    pub(crate) async fn start(upstream: String) -> Self {
        Self::start_at("127.0.0.1:0", upstream).await
    }

    /// The same at an address where nobody listens.
    pub(crate) async fn start_at(address: &str, upstream: String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (plan, seen, rule) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { upstream, rule, plan, seen });
        let served = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&served);
                tokio::spawn(async move { shared.serve(client).await });
            }
        });
        Self { host, shared, listening: listening.abort_handle() }
    }

    /// `host:port` of the proxy.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Does `fault` to the next request whose first line begins with `method` and contains `path`.
    pub(crate) fn fail(&self, method: &str, path: &str, fault: Fault) {
        self.shared.plan.lock().unwrap().push((format!("{method} {path}"), fault));
    }

    /// From now on asks `rule` what to do to requests for which no fault is planned.
    pub(crate) fn rule(&self, rule: impl Fn(&str) -> Option<Fault> + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Ends the rule.
    pub(crate) fn end_rule(&self) {
        *self.shared.rule.lock().unwrap() = None;
    }

    /// Stops to listen, and returns where it was.
    pub(crate) async fn stop(self) -> String {
        let host = self.host.clone();
        self.listening.abort();
        while TcpStream::connect(&host).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
        host
    }

    /// The first lines of all requests since the last time that this was asked.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let request = read_request(&mut client).await?;
        let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
        self.seen.lock().unwrap().push(line.clone());
        let answer = match self.fault_for(&line) {
            None => self.forward(&request).await?,
            Some(Fault::Hang) => return pending().await,
            Some(Fault::LoseRequest) => return Ok(()),
            Some(Fault::LoseAnswer) => return self.forward(&request).await.map(drop),
            Some(Fault::DelayAnswer(time)) => {
                let answer = self.forward(&request).await?;
                sleep(time).await;
                answer
            }
            Some(Fault::DelayRequest(time)) => {
                sleep(time).await;
                self.forward(&request).await?
            }
            Some(Fault::CutAnswer) => {
                let mut answer = self.forward(&request).await?;
                answer.truncate(answer.len() - 5);
                answer
            }
            Some(Fault::Answer(status, body)) => canned(status, body),
            Some(Fault::AnswerInstead(status, body)) => {
                self.forward(&request).await?;
                canned(status, body)
            }
            Some(Fault::KeepAnswer(tell)) => {
                self.forward(&request).await?;
                // Nobody listens any more when the client has ended.
                let _ = tell.send(());
                return pending().await;
            }
            Some(Fault::SendTwice) => {
                self.forward(&request).await?;
                self.forward(&request).await?
            }
            Some(Fault::AnswerTwice) => self.forward(&request).await?.repeat(2),
            Some(Fault::Trickle(pause)) => {
                for byte in self.forward(&request).await? {
                    client.write_all(&[byte]).await?;
                    sleep(pause).await;
                }
                return client.shutdown().await;
            }
            Some(Fault::AcceptOnly) => accepted(self.forward(&request).await?),
        };
        client.write_all(&answer).await?;
        client.shutdown().await
    }

    fn fault_for(&self, line: &str) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let fits = |wanted: &str| {
            let (method, path) = wanted.split_once(' ').unwrap();
            line.starts_with(method) && line.contains(path)
        };
        match plan.iter().position(|(wanted, _)| fits(wanted)) {
            Some(place) => Some(plan.remove(place).1),
            None => self.rule.lock().unwrap().as_ref().and_then(|rule| rule(line)),
        }
    }

    async fn forward(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(&self.upstream).await?;
        let end_of_line = request.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
        server.write_all(&request[..end_of_line]).await?;
        server.write_all(b"connection: close\r\n").await?;
        server.write_all(&request[end_of_line..]).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if client.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if request.len() >= head + 4 + length {
            return Ok(request);
        }
    }
}

/// An answer that says 202 where it said 201.
fn accepted(mut answer: Vec<u8>) -> Vec<u8> {
    if answer.starts_with(b"HTTP/1.1 201") {
        answer[11] = b'2';
    }
    answer
}

fn canned(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Canned\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
