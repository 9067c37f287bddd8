//! How clients are connected: so many at once, and none that keeps us waiting.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;

use crate::api::HttpConfig;

/// Lets clients connect.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// For how long the head of a request may arrive.
    pub(super) head: Duration,
    /// For how long the next part of an answer may not be taken.
    answer: Duration,
    free: Arc<Semaphore>,
}

/// A connection, which counts until it is closed.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl Door {
    /// With room for as many as the settings say.
    pub(super) fn of(limits: &HttpConfig) -> Self {
        Self {
            head: Duration::from_millis(limits.header_timeout_ms),
            answer: Duration::from_millis(limits.stream_timeout_ms),
            free: Arc::new(Semaphore::new(limits.connections)),
        }
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Pin<Box<TimeoutStream<Counted>>>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    /// One too many is closed at once: it takes nothing then.
    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.free).try_acquire_owned() else {
            return ready(Err(io::Error::other("there are too many connections")));
        };
        let mut stream = TimeoutStream::new(Counted { stream, _place: place });
        stream.set_write_timeout(Some(self.answer));
        ready(Ok((Box::pin(stream), service)))
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
