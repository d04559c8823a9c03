package p2p

import (
	"context"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"croft"
)

// Probe dials a peer at one address (with /p2p/ and its id), beside the connections
// that there are, from a port of its own, and hangs up: nil means that a node which
// the peer never called gets through to it there, and that it is the peer. A loopback
// address counts only for a peer on this machine, so that nobody makes this node
// knock on its own machine's doors. It fails with croft.ErrPeer.
func (h *Host) Probe(ctx context.Context, to PeerID, addr string) error {
	parsed, err := parseAddrs([]string{addr})
	if err != nil {
		return err
	}
	id, err := peer.Decode(string(to))
	if err != nil || len(parsed[id]) != 1 {
		return croft.E(croft.ErrPeer, printable(string(to)), errNoID)
	}
	if !h.allow(to) {
		return croft.E(croft.ErrPeer, to, errStranger)
	}
	if manet.IsIPLoopback(parsed[id][0]) && !h.onThisMachine(id) {
		return croft.E(croft.ErrPeer, to, errDead)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if err := h.knock(ctx, id, parsed[id][0]); err != nil {
		return croft.E(croft.ErrPeer, to, why(err))
	}
	return nil
}

// knock opens a connection that the swarm does not know of, and closes it. What the
// peer might begin on it in that moment breaks, and it tries again on another.
func (h *Host) knock(ctx context.Context, id peer.ID, addr multiaddr.Multiaddr) error {
	dialer := h.swarm.TransportForDialing(addr)
	if _, err := addr.ValueForProtocol(multiaddr.P_QUIC_V1); err == nil {
		// The swarm dials QUIC from the port on which it listens, and a router lets
		// through what comes from a port that was called before.
		ports, err := quicreuse.NewConnManager([32]byte{}, [32]byte{}, quicreuse.DisableReuseport())
		if err != nil {
			return err
		}
		defer ports.Close()
		if dialer, err = libp2pquic.NewTransport(h.host.Peerstore().PrivKey(h.host.ID()), ports, nil, nil, nil); err != nil {
			return err
		}
	}
	if dialer == nil {
		return errDead
	}
	conn, err := dialer.Dial(ctx, addr, id)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (h *Host) onThisMachine(id peer.ID) bool {
	return slices.ContainsFunc(h.swarm.ConnsToPeer(id), func(c network.Conn) bool {
		return manet.IsIPLoopback(c.RemoteMultiaddr())
	})
}
