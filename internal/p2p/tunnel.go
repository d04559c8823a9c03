package p2p

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
)

// Tunnels carry connections of a program that speaks TCP, such as CometBFT,
// through the host: one port to open in a firewall, one identity to admit.

// tunnelsPerPeer bounds the tunnels that one peer may hold open at once.
const tunnelsPerPeer = 8

// Expose pipes each incoming tunnel of a protocol to a new TCP connection to
// target, an address such as 127.0.0.1:26656. A tunnel is cut when its target
// does not answer.
func (h *Host) Expose(proto, target string) {
	h.tunnels.Store(protocolID(proto), nil)
	open := newQuota(rates{atOnce: tunnelsPerPeer, perSecond: tunnelsPerPeer})
	h.accept(proto, func(from PeerID, s network.Stream) {
		release, ok := open.try(from)
		if !ok {
			s.Reset()
			return
		}
		defer release()
		dialer := net.Dialer{Timeout: dialTime}
		conn, err := dialer.DialContext(h.ctx, "tcp", target)
		if err != nil {
			s.Reset()
			return
		}
		pipe(h.ctx, conn.(*net.TCPConn), s)
	})
}

// Forward listens on a loopback port and pipes each connection through a tunnel
// to a peer that exposes the protocol. It returns the address to connect to. The
// listener and its tunnels end with ctx or with the host. It does not try the
// peer: a connection is closed at once while the peer cannot be reached. Any
// program on this machine can connect, so what speaks through a tunnel
// authenticates its other end by itself.
func (h *Host) Forward(ctx context.Context, to PeerID, proto string) (string, error) {
	h.tunnels.Store(protocolID(proto), nil)
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", fmt.Errorf("p2p: forward: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(h.ctx, cancel)
	context.AfterFunc(ctx, func() { listener.Close() })
	started := h.work.start(func() {
		defer unlink()
		defer cancel()
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			if !h.work.start(func() { h.tunnel(ctx, to, proto, conn) }) {
				conn.Close()
			}
		}
	})
	if !started {
		cancel()
		return "", fmt.Errorf("p2p: forward: %w", errClosed)
	}
	return listener.Addr().String(), nil
}

// tunnel carries one connection to the peer, or closes it.
func (h *Host) tunnel(ctx context.Context, to PeerID, proto string, conn *net.TCPConn) {
	dialling, cancel := context.WithTimeout(ctx, 2*dialTime)
	s, err := h.open(dialling, to, proto)
	cancel()
	if err != nil {
		conn.Close()
		return
	}
	pipe(ctx, conn, s)
}

// pipe copies both ways until both sides have said all, or one breaks, or ctx
// ends. Each side's end is passed on by itself: a program may close its half and
// still read. A copy holds one buffer of 32 KiB.
func pipe(ctx context.Context, conn *net.TCPConn, s network.Stream) {
	abort := func() {
		conn.SetLinger(0) // the other end sees a broken connection, not an orderly end
		conn.Close()
		s.Reset()
	}
	unlink := context.AfterFunc(ctx, abort)
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := io.Copy(s, conn); err != nil || s.CloseWrite() != nil {
			abort()
		}
	})
	both.Go(func() {
		if _, err := io.Copy(conn, s); err != nil || conn.CloseWrite() != nil {
			abort()
		}
	})
	both.Wait()
	if unlink() {
		conn.Close()
		s.Close()
	}
}
