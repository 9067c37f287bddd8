//! A web server that answers what a test says, and remembers what it was asked.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{Response, header},
    response::IntoResponse,
    response::Redirect,
};
use tokio::net::TcpListener;

/// What the server does with every request.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// This status and this body.
    Say(u16, String),
    /// So many bytes of a JSON text.
    Flood(usize),
    /// The head of an answer, and then nothing.
    Stall,
    /// The same elsewhere.
    Redirect(String),
}

/// The server.
#[derive(Debug)]
pub(crate) struct WebServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// Listens on a free port.
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = asked.clone();
        let router = Router::new().fallback(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let line = format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&body));
            log.lock().unwrap().push(line.trim_end().to_owned());
            script.answer()
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked, in order: method, path and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Script {
    fn answer(&self) -> Response<Body> {
        let answer = Response::builder().header(header::CONTENT_TYPE, "application/json");
        match self {
            Self::Say(status, text) => {
                answer.status(*status).body(Body::from(text.clone())).unwrap()
            }
            Self::Flood(bytes) => {
                let text =
                    format!(r#"{{"status":"success","data":{{"x":"{}"}}}}"#, "y".repeat(*bytes));
                answer.body(Body::from(text)).unwrap()
            }
            Self::Stall => {
                let never = futures::stream::once(pending::<Result<String, std::io::Error>>());
                answer.body(Body::from_stream(never)).unwrap()
            }
            Self::Redirect(to) => Redirect::temporary(to).into_response(),
        }
    }
}
