//! Datagrams in batches, both ways: one call of the system for many. Nothing here allocates or blocks once
//! it was made.

use std::{
    mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

/// Datagrams received by one call.
pub const BATCH: usize = 8;
/// Bytes kept of a datagram; a longer one is not for us.
const LONGEST: usize = 2_048;

/// Receives what waits at a socket, several datagrams at once.
pub struct Batch {
    received: [Option<(SocketAddr, usize)>; BATCH],
    // What follows stays where it is, for the headers lead to it.
    buffers: Box<[[u8; LONGEST]; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    _slices: Box<[libc::iovec; BATCH]>,
    headers: Box<[libc::mmsghdr; BATCH]>,
}

impl Default for Batch {
    fn default() -> Self {
        let mut buffers = Box::new([[0; LONGEST]; BATCH]);
        // SAFETY: these are plain C structures of integers and pointers; all zero is valid.
        let mut names: Box<[libc::sockaddr_storage; BATCH]> = Box::new(unsafe { mem::zeroed() });
        let mut headers: Box<[libc::mmsghdr; BATCH]> = Box::new(unsafe { mem::zeroed() });
        let empty = libc::iovec { iov_base: ptr::null_mut(), iov_len: LONGEST };
        let mut slices = Box::new([empty; BATCH]);
        for (((header, slice), name), buffer) in
            headers.iter_mut().zip(slices.iter_mut()).zip(names.iter_mut()).zip(buffers.iter_mut())
        {
            slice.iov_base = buffer.as_mut_ptr().cast();
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
        }
        Self { received: [None; BATCH], buffers, names, _slices: slices, headers }
    }
}

impl Batch {
    /// Takes up to [`BATCH`] waiting datagrams, without waiting itself, and answers how many.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: every pointer in the headers leads to memory of our own, which is so long.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        for ((received, header), name) in
            self.received.iter_mut().zip(&mut self.headers[..count]).zip(self.names.iter())
        {
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            let length = (header.msg_len as usize).min(LONGEST);
            *received = address(name).filter(|_| whole).map(|from| (from, length));
            // The system has put there how long this name was.
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
        }
        count
    }

    /// One of the datagrams last received; `None` when it was too long.
    pub fn datagram(&mut self, at: usize) -> Option<(SocketAddr, &mut [u8])> {
        let (from, length) = self.received[at]?;
        Some((from, &mut self.buffers[at][..length]))
    }
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says what the storage holds, and the storage is large enough.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some((ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some((ip, u16::from_be(name.sin6_port)).into())
        }
        _ => None,
    }
}

/// Datagrams sent by one call.
pub const OUTBOX: usize = 64;

/// Datagrams that wait to leave by one socket, each to an address of its own, with one call for all.
pub struct Outbox<const N: usize> {
    filled: usize,
    // What follows stays where it is, for the headers lead to it.
    buffers: Box<[[u8; N]; OUTBOX]>,
    names: Box<[libc::sockaddr_storage; OUTBOX]>,
    slices: Box<[libc::iovec; OUTBOX]>,
    headers: Box<[libc::mmsghdr; OUTBOX]>,
}

impl<const N: usize> Default for Outbox<N> {
    fn default() -> Self {
        let mut buffers = Box::new([[0; N]; OUTBOX]);
        // SAFETY: these are plain C structures of integers and pointers; all zero is valid.
        let mut names: Box<[libc::sockaddr_storage; OUTBOX]> = Box::new(unsafe { mem::zeroed() });
        let mut headers: Box<[libc::mmsghdr; OUTBOX]> = Box::new(unsafe { mem::zeroed() });
        let empty = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut slices = Box::new([empty; OUTBOX]);
        for (((header, slice), name), buffer) in
            headers.iter_mut().zip(slices.iter_mut()).zip(names.iter_mut()).zip(buffers.iter_mut())
        {
            slice.iov_base = buffer.as_mut_ptr().cast();
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
        }
        Self { filled: 0, buffers, names, slices, headers }
    }
}

impl<const N: usize> Outbox<N> {
    /// Whether there is no room for another.
    pub fn is_full(&self) -> bool {
        self.filled == OUTBOX
    }

    /// Where the next datagram is written. A full one must be sent first.
    pub fn room(&mut self) -> &mut [u8; N] {
        &mut self.buffers[self.filled.min(OUTBOX - 1)]
    }

    /// The next datagram is of the first `length` bytes there, and goes to that address. Nothing happens
    /// when it is full.
    pub fn post(&mut self, length: usize, to: SocketAddr) {
        let (Some(name), Some(slice), Some(header)) = (
            self.names.get_mut(self.filled),
            self.slices.get_mut(self.filled),
            self.headers.get_mut(self.filled),
        ) else {
            return;
        };
        slice.iov_len = length.min(N);
        header.msg_hdr.msg_namelen = write_address(name, to);
        self.filled += 1;
    }

    /// Sends all that wait, without waiting itself; how many left, and how many the system refused.
    pub fn send(&mut self, socket: &UdpSocket) -> (u64, u64) {
        let (mut at, mut refused) = (0, 0);
        while at < self.filled {
            let rest = &mut self.headers[at..self.filled];
            // SAFETY: every pointer in the headers leads to memory of our own, which is so long.
            let sent = unsafe {
                let (headers, count) = (rest.as_mut_ptr(), rest.len() as libc::c_uint);
                libc::sendmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT)
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => at += sent,
                // The first of these is what it stumbled over.
                _ => (at, refused) = (at + 1, refused + 1),
            }
        }
        let all = self.filled as u64;
        self.filled = 0;
        (all - refused, refused)
    }
}

/// Writes an address as the system reads it, and answers how long that is.
fn write_address(name: &mut libc::sockaddr_storage, to: SocketAddr) -> libc::socklen_t {
    match to {
        SocketAddr::V4(to) => {
            // SAFETY: the storage is large enough and aligned for every kind of address.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in>() };
            name.sin_family = libc::AF_INET as _;
            name.sin_port = to.port().to_be();
            name.sin_addr.s_addr = u32::from(*to.ip()).to_be();
            size_of::<libc::sockaddr_in>() as _
        }
        SocketAddr::V6(to) => {
            // SAFETY: as above.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in6>() };
            name.sin6_family = libc::AF_INET6 as _;
            name.sin6_port = to.port().to_be();
            name.sin6_flowinfo = 0;
            name.sin6_addr.s6_addr = to.ip().octets();
            name.sin6_scope_id = to.scope_id();
            size_of::<libc::sockaddr_in6>() as _
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_in_an_outbox_goes_to_each_address_and_what_cannot_go_holds_up_no_other() {
        for here in ["127.0.0.1:0", "[::1]:0"] {
            let [from, one, other] = [(); 3].map(|()| UdpSocket::bind(here).unwrap());
            let mut outbox = Outbox::<64>::default();
            let nowhere = SocketAddr::new(from.local_addr().unwrap().ip(), 0);
            let to = [one.local_addr().unwrap(), nowhere, other.local_addr().unwrap()];
            for (number, to) in to.into_iter().enumerate() {
                outbox.room()[..2].fill(number as u8);
                outbox.post(2, to);
            }
            assert_eq!(outbox.send(&from), (2, 1));
            let mut heard = [0; 64];
            for (socket, number) in [(&one, 0), (&other, 2)] {
                let (length, sender) = socket.recv_from(&mut heard).unwrap();
                assert_eq!(
                    (&heard[..length], sender),
                    (&[number; 2][..], from.local_addr().unwrap())
                );
            }
            assert_eq!(outbox.send(&from), (0, 0));
            (0..OUTBOX).for_each(|_| outbox.post(1, to[0]));
            assert!(outbox.is_full());
        }
    }

    #[test]
    fn all_that_waits_is_received_with_its_sender_and_what_is_too_long_is_not() {
        for here in ["127.0.0.1:0", "[::1]:0"] {
            let (one, other) = (UdpSocket::bind(here).unwrap(), UdpSocket::bind(here).unwrap());
            let to = other.local_addr().unwrap();
            for length in [5, LONGEST + 1, 0] {
                one.send_to(&vec![7; length], to).unwrap();
            }
            let mut batch = Batch::default();
            assert_eq!(batch.receive(&other), 3);
            let from = one.local_addr().unwrap();
            assert_eq!(batch.datagram(0), Some((from, &mut [7; 5][..])));
            assert_eq!(batch.datagram(1), None);
            assert_eq!(batch.datagram(2), Some((from, &mut [][..])));
            assert_eq!(batch.receive(&other), 0);
        }
    }
}
