// SPDX-License-Identifier: GPL-3.0-or-later

//! A small HTTP worker with the standard library alone: rustc -O worker.rs
//!
//! A thread for each connection, one answer on each. What makes it a worker of
//! einhyrningsins is `inherited`, `acknowledge`, and `main`: once the graceful
//! signal has come it accepts no more, and ends when all threads have.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::io::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use std::{env, process, thread};

// The standard library has no signals and no poll; the C library that it is
// linked with has both.
#[repr(C)]
struct PollFd {
    fd: RawFd,
    events: i16,
    revents: i16,
}
const POLLIN: i16 = 1;
const SIGUSR2: i32 = 12; // these two on Linux for x86, ARM, POWER, RISC-V and S/390
const SIGTERM: i32 = 15;

extern "C" {
    fn poll(fds: *mut PollFd, n: std::os::raw::c_ulong, timeout: i32) -> i32;
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn write(fd: RawFd, buf: *const u8, n: usize) -> isize;
}

/// The end of a pipe into which a signal writes, since a handler may do little
/// else, and poll can wait for the other end.
static BELL: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(_: i32) {
    unsafe { write(BELL.load(Ordering::Relaxed), b"!".as_ptr(), 1) };
}

fn ends() -> io::Result<UnixStream> {
    let (bell, ends) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    BELL.store(bell.into_raw_fd(), Ordering::Relaxed);
    for number in [SIGUSR2, SIGTERM] {
        unsafe { signal(number, on_signal) };
    }
    Ok(ends)
}

/// The first socket of -b.
fn inherited() -> Result<TcpListener, String> {
    let text = env::var("EINHORN_FD_0").map_err(|_| {
        "no socket: EINHORN_FD_0 is not set; run me with: einhyrningsins -m -b 127.0.0.1:8080,r -- ./worker"
    })?;
    let wrong = |e: &dyn std::fmt::Display| format!("cannot use EINHORN_FD_0={text}: {e}");
    let fd: RawFd = text.parse().map_err(|e| wrong(&e))?;
    let listener = unsafe { TcpListener::from_raw_fd(fd) };
    listener.local_addr().map_err(|e| wrong(&e))?;
    // Another worker may be faster than our accept after poll, which must not
    // block then. It holds for all who share the socket.
    listener.set_nonblocking(true).map_err(|e| wrong(&e))?;
    Ok(listener)
}

/// Says that we accept. The master may die with the line: then the connection
/// ends without an answer, and the next master is told.
fn acknowledge() {
    let path = match env::var_os("EINHORN_SOCK_PATH") {
        Some(path) => path,
        None => return, // started by hand
    };
    let line = format!("{{\"command\":\"worker:ack\",\"pid\":{}}}\n", process::id());
    for _ in 0..100 {
        let told = UnixStream::connect(&path).and_then(|mut s| {
            s.write_all(line.as_bytes())?;
            s.read(&mut [0; 64])
        });
        if matches!(told, Ok(n) if n > 0) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    eprintln!("worker: cannot send the ACK to {path:?}");
}

fn serve(mut conn: TcpStream, generation: &str) -> io::Result<()> {
    conn.set_nonblocking(false)?; // elsewhere than on Linux it is as the listener
    conn.set_read_timeout(Some(Duration::from_secs(5)))?;
    conn.set_write_timeout(Some(Duration::from_secs(5)))?;
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = conn.read(&mut part)?;
        if n == 0 || request.len() > 8192 {
            return Ok(());
        }
        request.extend_from_slice(&part[..n]);
    }
    if request.starts_with(b"GET /slow") {
        thread::sleep(Duration::from_millis(50));
    }
    let body = format!("pid={} generation={}\n", process::id(), generation);
    write!(
        conn,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        body.len(),
        body
    )
}

fn run() -> Result<(), String> {
    let ends = ends().map_err(|e| e.to_string())?;
    let listener = inherited()?;
    let generation = env::var("SERVER_STARTER_GENERATION").unwrap_or_else(|_| "0".to_string());
    let mut threads = Vec::new();
    acknowledge();
    loop {
        let mut fds = [ends.as_raw_fd(), listener.as_raw_fd()].map(|fd| PollFd { fd, events: POLLIN, revents: 0 });
        unsafe { poll(fds.as_mut_ptr(), 2, -1) };
        if fds[0].revents != 0 {
            break;
        }
        threads.retain(|t: &thread::JoinHandle<_>| !t.is_finished());
        if let Ok((conn, _)) = listener.accept() {
            let generation = generation.clone();
            threads.push(thread::spawn(move || serve(conn, &generation)));
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn main() {
    if let Err(e) = run() {
        eprintln!("worker: {e}");
        process::exit(1);
    }
}
