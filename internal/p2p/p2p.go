// Package p2p carries messages between the nodes of a network: one request, one
// answer, between authenticated peers that both sides admit.
//
// Addresses are told to a host ([Host.Learn]), or announced in its own building; it
// remembers nothing on disk, and asks nobody outside the network for anything. Whatever a peer
// can make a host remember or do is bounded: sizes before allocation, calls at once,
// calls a second, connections.
//
//	host.go   a node among its peers: calls and handlers
//	parts.go  calls whose answer comes in parts
//	poll.go   a call over every connection there is
//	tunnel.go connections of other programs
//	blobs.go  blobs by their hash
//	guest.go  who is no member, and may ask to be
//	mdns.go   peers in the same building
//	relay.go  peers that cannot be dialled
//	probe.go  whether a peer can be dialled
//	wire.go   a call as bytes
//	quota.go  how many calls
//	pace.go   how many bytes a second
//
// This is the only package that imports libp2p.
package p2p

import (
	"context"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

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

// KeyOf returns the node key of a peer id; false if it is none that PeerOf returns.
func KeyOf(id PeerID) (key croft.PublicKey, ok bool) {
	decoded, err := peer.Decode(string(id))
	if err != nil {
		return key, false
	}
	public, err := decoded.ExtractPublicKey()
	if err != nil || public.Type() != crypto.Ed25519 {
		return key, false
	}
	raw, err := public.Raw()
	if err != nil || len(raw) != len(key) {
		return key, false
	}
	key = croft.PublicKey(raw)
	return key, PeerOf(key) == id
}

// Handler answers one request of a peer that proved to be from. ctx ends when
// the caller gives up or the host closes; a handler must end soon after. The
// request belongs to the handler.
//
// A croft.Error crosses to the caller with code and arguments, unless its kind is
// croft.Internal; of any other error the caller learns only that there was one.
type Handler func(ctx context.Context, from PeerID, request []byte) ([]byte, error)

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
		if _, err := manet.ToIP(addr); err != nil { // a name would be asked of others
			return nil, croft.E(croft.ErrEncoding, "peer address", "no IP address")
		}
		peers[id] = append(peers[id], addr)
	}
	return peers, nil
}
