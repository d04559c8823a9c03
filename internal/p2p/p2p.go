// Package p2p carries messages between the nodes of a network: one request, one
// answer, between authenticated peers that both sides admit.
//
// [Host] is what the rest of the program sees. [Libp2p] is the real one, over TCP
// and QUIC; [Mesh] is its in-memory twin. Addresses are told to a host ([Host.Learn]);
// it finds nobody by itself, remembers nothing on disk, and asks nobody outside
// the network for anything. Whatever a peer can make a host remember or do is
// bounded: sizes before allocation, calls at once, calls a second, connections.
//
// This is the only package that imports libp2p.
package p2p

import (
	"context"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"croft"
)

// MaxAnswer is the size in bytes of the largest request and of the largest answer.
const MaxAnswer = 64 << 20

// PeerID is the libp2p peer id of a node key, in its text form (12D3Koo…).
type PeerID string

// PeerOf returns the peer id of a node key: an identity multihash of the key
// (libp2p peer-ids specification).
func PeerOf(key croft.PublicKey) PeerID {
	public, err := crypto.UnmarshalEd25519PublicKey(key[:])
	if err != nil {
		panic(err) // the length is right by type, and nothing else is checked
	}
	id, err := peer.IDFromPublicKey(public)
	if err != nil {
		panic(err)
	}
	return PeerID(id.String())
}

// Handler answers one request of a peer that proved to be from. ctx ends when
// the caller gives up or the host closes; a handler must end soon after. The
// request belongs to the handler.
//
// A croft.Error crosses to the caller with code and arguments, unless its kind is
// croft.Internal; of any other error the caller learns only that there was one.
type Handler func(ctx context.Context, from PeerID, request []byte) ([]byte, error)

// Host is a node among its peers. Its methods may be called concurrently.
type Host interface {
	// ID returns this node's peer id.
	ID() PeerID
	// Addrs returns where others reach this node: multiaddrs with /p2p/ and the id.
	Addrs() []string
	// Handle answers calls of a protocol, such as "blob/1", with h. Requests above
	// limit bytes are refused unread. A protocol has one handler; a second is a
	// bug and panics.
	Handle(proto string, limit int, h Handler)
	// Call sends a request to a peer and returns its answer. It connects if need
	// be, and waits while too many calls to that peer are under way. It fails with
	// croft.ErrPeer, which wraps ctx's error if that was the reason, with
	// croft.ErrTooLarge, or with the croft.Error of the peer's handler. The
	// request may have been answered even if Call fails.
	Call(ctx context.Context, to PeerID, proto string, request []byte) ([]byte, error)
	// Learn takes note of where peers are, all addresses of a peer at once: those
	// that it was told before are forgotten. A peer that did not answer lately
	// is not dialled again for a while; Learn ends that. It fails with
	// croft.ErrEncoding, and then nothing has changed.
	Learn(addrs ...string) error
	// Connected returns the peers with a live connection, sorted.
	Connected() []PeerID
	// Close ends all connections and waits until no handler runs.
	Close() error
}

// maxAddr and maxAddrs bound one address and one call of Learn: an address of an
// invite or of the ledger comes from somebody else.
const (
	maxAddr  = 256
	maxAddrs = 256
)

// parseAddrs groups addresses by the peer at their end.
func parseAddrs(addrs []string) (map[peer.ID][]multiaddr.Multiaddr, error) {
	if len(addrs) > maxAddrs {
		return nil, croft.E(croft.ErrEncoding, "list of addresses", "too many")
	}
	peers := map[peer.ID][]multiaddr.Multiaddr{}
	for _, text := range addrs {
		if len(text) > maxAddr {
			return nil, croft.E(croft.ErrEncoding, "peer address", "too long")
		}
		full, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			return nil, croft.E(croft.ErrEncoding, "peer address", printable(err.Error()))
		}
		addr, id := peer.SplitAddr(full)
		if id == "" || addr == nil {
			return nil, croft.E(croft.ErrEncoding, "peer address", "no address or no /p2p/ and peer id at the end")
		}
		peers[id] = append(peers[id], addr)
	}
	return peers, nil
}
