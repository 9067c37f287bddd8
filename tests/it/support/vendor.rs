//! Vendors that tests run: servers that know what was bought from them, and that do what can go wrong.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, Response},
};
use futures::{StreamExt, stream};
use tokio::net::TcpListener;

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub method: Method,
    /// The path, decoded.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: String,
}

/// What a vendor says: a status and a body.
pub(crate) type Said = (u16, String);

/// A vendor as its documentation has it.
pub(crate) trait Vendor: Send {
    /// Answers a request.
    fn answer(&mut self, seen: &Seen) -> Said;

    /// Has this number on offer from here on.
    fn offer(&mut self, _number: &str) {}

    /// Whether the number is the customer's.
    fn owns(&self, _number: &str) -> bool {
        false
    }

    /// Carries orders out only when they are looked at for the so-many-th time.
    fn slow(&mut self, _looks: u32) {}

    /// Lets every order fail from here on.
    fn failing(&mut self) {}
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// This answer, and nothing is done.
    Say(u16, String),
    /// The same with `Retry-After`, in seconds.
    Later(u16, u32),
    /// It is done, and this status and `Location` come without a body.
    Located(u16, String),
    /// So many bytes.
    Flood(usize),
    /// The first half of an answer; then the connection ends.
    Truncated,
    /// The connection ends before an answer.
    Hangup,
    /// It is done, and no answer comes.
    Swallowed,
}

/// Which requests something goes wrong with.
#[derive(Clone, Debug)]
enum Which {
    Any,
    Method(Method),
    /// Those that change something and whose path ends so, or whose body holds it.
    Order(&'static str),
}

/// The server of a vendor.
pub(crate) struct VendorServer {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    vendor: Box<dyn Vendor>,
    seen: Vec<Seen>,
    /// What goes wrong next, and with which requests.
    next: VecDeque<(Which, Trouble)>,
    always: Option<Trouble>,
}

impl VendorServer {
    /// Listens on a free port.
    pub(crate) async fn start(vendor: Box<dyn Vendor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Inner { vendor, seen: Vec::new(), next: VecDeque::new(), always: None };
        let inner = Arc::new(Mutex::new(inner));
        let shared = inner.clone();
        let router = Router::new().fallback(async move |request: Request| {
            let seen = read(request).await;
            let answer = shared.lock().unwrap().respond(&seen);
            answer.made().await
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The vendor, to be changed or asked.
    pub(crate) fn vendor<T>(&self, look: impl FnOnce(&mut dyn Vendor) -> T) -> T {
        look(&mut *self.inner().vendor)
    }

    /// What goes wrong with the next request of this method, or of any.
    pub(crate) fn next(&self, method: Option<Method>, trouble: Trouble) {
        let which = method.map_or(Which::Any, Which::Method);
        self.inner().next.push_back((which, trouble));
    }

    /// What goes wrong with the next request that changes something and whose path ends so, or whose
    /// body holds it.
    pub(crate) fn next_at(&self, mark: &'static str, trouble: Trouble) {
        self.inner().next.push_back((Which::Order(mark), trouble));
    }

    /// What goes wrong with every request; nothing when none is given.
    pub(crate) fn always(&self, trouble: Option<Trouble>) {
        self.inner().always = trouble;
    }

    /// What it was asked, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner().seen.clone()
    }

    /// The methods and paths of the same, and forgets them.
    pub(crate) fn taken(&self) -> Vec<String> {
        let seen = std::mem::take(&mut self.inner().seen);
        seen.iter().map(|it| format!("{} {}", it.method, it.path)).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Seen {
    /// The query's value of that name.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The pairs of the form in its body.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What is answered.
enum Answer {
    Said(u16, Option<u32>, String),
    Located(u16, String),
    Flood(usize),
    Truncated(String),
    Hangup,
    Never,
}

impl Inner {
    fn respond(&mut self, seen: &Seen) -> Answer {
        let fits = |(which, _): &(Which, Trouble)| match which {
            Which::Any => true,
            Which::Method(method) => *method == seen.method,
            Which::Order(mark) => {
                let is_it = seen.path.ends_with(mark) || seen.body.contains(mark);
                seen.method != Method::GET && is_it
            }
        };
        let next = self.next.iter().position(fits).and_then(|place| self.next.remove(place));
        let trouble = next.map(|(_, trouble)| trouble).or_else(|| self.always.clone());
        self.seen.push(seen.clone());
        match trouble {
            None => {
                let (status, body) = self.vendor.answer(seen);
                Answer::Said(status, None, body)
            }
            Some(Trouble::Say(status, body)) => Answer::Said(status, None, body),
            Some(Trouble::Later(status, after)) => {
                Answer::Said(status, Some(after), "{}".to_owned())
            }
            Some(Trouble::Located(status, place)) => {
                self.vendor.answer(seen);
                Answer::Located(status, place)
            }
            Some(Trouble::Flood(bytes)) => Answer::Flood(bytes),
            Some(Trouble::Truncated) => Answer::Truncated(self.vendor.answer(seen).1),
            Some(Trouble::Hangup) => Answer::Hangup,
            Some(Trouble::Swallowed) => {
                self.vendor.answer(seen);
                Answer::Never
            }
        }
    }
}

impl Answer {
    async fn made(self) -> Response<Body> {
        let answer = Response::builder();
        let cut = || std::io::Error::other("as the script says");
        match self {
            Self::Said(status, after, body) => {
                let answer = answer.status(status);
                let answer = match after {
                    Some(seconds) => answer.header("Retry-After", seconds),
                    None => answer,
                };
                answer.body(Body::from(body)).unwrap()
            }
            Self::Located(status, place) => {
                answer.status(status).header("Location", place).body(Body::empty()).unwrap()
            }
            Self::Flood(bytes) => {
                let chunk = Bytes::from(vec![b'x'; 65_536]);
                let chunks = stream::repeat(chunk).take(bytes / 65_536).map(Ok::<_, Infallible>);
                answer.body(Body::from_stream(chunks)).unwrap()
            }
            Self::Truncated(body) => {
                let half = body[..body.len() / 2].to_owned();
                let chunks = stream::iter([Ok(half), Err(cut())]);
                answer.body(Body::from_stream(chunks)).unwrap()
            }
            Self::Hangup => panic!("the connection ends, as the script says"),
            Self::Never => pending().await,
        }
    }
}

async fn read(request: Request) -> Seen {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Seen {
        path: decoded(parts.uri.path()),
        query: pairs(parts.uri.query().unwrap_or_default()),
        method: parts.method,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// What the first element of that name says; nothing when there is none.
pub(crate) fn inside<'a>(body: &'a str, name: &str) -> &'a str {
    let rest = body.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    let said = rest.and_then(|rest| rest.split_once(&format!("</{name}>")));
    said.map_or("", |(said, _)| said)
}

/// The pairs of a query, as a server reads them that decodes forms.
fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (decoded(&key.replace('+', " ")), decoded(&value.replace('+', " "))))
        .collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}
