package croft

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// Invite is what an invite code says: all that a newcomer needs to find a network
// and to apply for membership, and nothing that admits anybody by itself. The
// ledger knows the invite by the public half of its key, and has the last word on
// its terms.
type Invite struct {
	Network NetworkID // Genesis.Hash of the chain: the network's id, unless it was rescued
	Secret  [16]byte  // Key is made from it: whoever has the code can apply
	Node    PublicKey // node key of the inviter: the newcomer talks to this node and no other
	Expires int64     // Unix seconds, from 1 to 2³²−1
	Addrs   []Addr    // where that node is; 1 to 3, as many as fit
}

// Addr is one way to reach a node: TCP, or QUIC over UDP.
type Addr struct {
	netip.AddrPort
	QUIC bool
}

// MaxInvite is the length of the longest invite code in characters.
const MaxInvite = 200

const (
	inviteMark    = "croft" // what every code begins with
	inviteVersion = 1
	inviteAddrs   = 3
)

// Key returns the invite's key, which signs the application of who was invited.
// 16 bytes of secret are enough: to guess a key from its public half takes 2¹²⁸
// tries either way (RFC 8032 §8.5).
func (v Invite) Key() ed25519.PrivateKey {
	seed := Sum(append([]byte("croft/invite key"), v.Secret[:]...))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Public returns the public half of Key, under which the ledger knows the invite.
func (v Invite) Public() PublicKey { return PublicKey(v.Key().Public().(ed25519.PublicKey)) }

// Code returns the invite as text: bech32m (BIP-350) over
//
//	version (1), network (32), secret (16), node key (32), expiry (4), addresses
//
// with numbers big-endian, and each address as kind (1: bit 0 IPv6, bit 1 QUIC),
// IP (4 or 16), port (2). It fails with ErrInvite if it has no address, a
// field out of range, or would be longer than MaxInvite.
func (v Invite) Code() (string, error) {
	if v.Expires <= 0 || v.Expires >= 1<<32 || len(v.Addrs) == 0 || len(v.Addrs) > inviteAddrs {
		return "", E(ErrInvite, "it needs an expiry, and one to three addresses")
	}
	data := slices.Concat([]byte{inviteVersion}, v.Network[:], v.Secret[:], v.Node[:])
	data = binary.BigEndian.AppendUint32(data, uint32(v.Expires))
	for _, a := range v.Addrs {
		ip, kind := a.Addr().Unmap().WithZone(""), byte(0)
		if !ip.IsValid() || ip.IsUnspecified() || a.Port() == 0 {
			return "", E(ErrInvite, fmt.Sprintf("%s is not an address that can be dialled", a))
		}
		if ip.Is6() {
			kind |= 1
		}
		if a.QUIC {
			kind |= 2
		}
		data = append(append(data, kind), ip.AsSlice()...)
		data = binary.BigEndian.AppendUint16(data, a.Port())
	}
	code := bech32m(inviteMark, data)
	if len(code) > MaxInvite {
		return "", E(ErrInvite, fmt.Sprintf("%d characters are more than %d: take fewer addresses", len(code), MaxInvite))
	}
	return code, nil
}

// ParseInvite reads a code as people paste it: white space and quotes do not count, nor
// whether all of it is in capitals. Any other slip is found by the checksum: up to
// three wrong characters for certain, more with a chance of a billion to one. It
// fails with ErrInviteCode.
func ParseInvite(text string) (v Invite, err error) {
	bad := func(why string) (Invite, error) { return Invite{}, E(ErrInviteCode, why) }
	if len(text) > 4*MaxInvite {
		return bad("it is too long")
	}
	text = strings.Map(unpasted, text)
	if text == strings.ToUpper(text) {
		text = strings.ToLower(text)
	}
	mark, data, ok := unbech32m(text)
	const head = 1 + 32 + 16 + 32 + 4
	switch {
	case !ok:
		return bad("a character is wrong or missing")
	case mark != inviteMark:
		return bad("it does not begin with " + inviteMark + "1")
	case len(data) == 0 || data[0] != inviteVersion:
		return bad("it was made by another version of this program")
	case len(data) < head:
		return bad("it is too short")
	}
	copy(v.Network[:], data[1:33])
	copy(v.Secret[:], data[33:49])
	copy(v.Node[:], data[49:81])
	v.Expires = int64(binary.BigEndian.Uint32(data[81:head]))
	for rest := data[head:]; len(rest) > 0; {
		kind, size := rest[0], 4
		if kind&1 != 0 {
			size = 16
		}
		if kind > 3 || len(rest) < 1+size+2 {
			return bad("an address is cut off or of an unknown kind")
		}
		ip, _ := netip.AddrFromSlice(rest[1 : 1+size])
		v.Addrs = append(v.Addrs, Addr{netip.AddrPortFrom(ip, binary.BigEndian.Uint16(rest[1+size:])), kind&2 != 0})
		rest = rest[1+size+2:]
	}
	if again, err := v.Code(); err != nil || again != text { // one invite has one code
		return bad("it is not in canonical form")
	}
	return v, nil
}

// unpasted drops what mail programs and word processors put around and into a code:
// spaces, line ends, quotes of any kind, marks that show nothing.
func unpasted(r rune) rune {
	if unicode.IsSpace(r) || unicode.In(r, unicode.Quotation_Mark, unicode.Cf) || r == '<' || r == '>' || r == '`' {
		return -1
	}
	return r
}

// ParseAddr reads the multiaddr that String writes; what follows it (/p2p/…) does
// not count. It reports false for any other, and for a way through another node.
func ParseAddr(text string) (a Addr, ok bool) {
	parts := strings.Split(text, "/") // "", ip4, IP, tcp, port
	if len(parts) < 5 || parts[0] != "" {
		return a, false
	}
	addr, err := netip.ParseAddrPort(parts[2] + ":" + parts[4])
	if parts[1] == "ip6" {
		addr, err = netip.ParseAddrPort("[" + parts[2] + "]:" + parts[4])
	}
	a = Addr{addr, parts[3] == "udp"}
	return a, err == nil && strings.HasPrefix(text+"/", a.String()+"/") && !strings.Contains(text, "/p2p-circuit")
}

// String returns the multiaddr, such as /ip4/192.0.2.1/udp/4001/quic-v1.
func (a Addr) String() string {
	family, transport := "ip4", "tcp/%d"
	if a.Addr().Is6() {
		family = "ip6"
	}
	if a.QUIC {
		transport = "udp/%d/quic-v1"
	}
	return fmt.Sprintf("/%s/%s/"+transport, family, a.Addr(), a.Port())
}

// CheckDigits returns twelve digits that two people compare by voice before one
// of them admits the other: they are the same on both screens only if the
// application that came in is the one that was sent. Each guess at another set of
// keys with the same digits takes 2¹⁶ hashes, and a match takes 2⁴⁰ guesses.
func CheckDigits(network NetworkID, newcomer Member) string {
	sum := HashOf(struct {
		_        struct{} `cbor:",toarray"`
		Network  NetworkID
		Newcomer Member
	}{Network: network, Newcomer: newcomer})
	for range 1 << 16 {
		sum = Sum(sum[:])
	}
	n := binary.BigEndian.Uint64(sum[:]) % 1e12
	return fmt.Sprintf("%04d %04d %04d", n/1e8, n/1e4%1e4, n%1e4)
}

// bech32Chars are the 32 characters of bech32, by value (BIP-173).
const bech32Chars = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32mConst is what the checksum of a right text leaves (BIP-350).
const bech32mConst = 0x2bc830a3

// bech32m encodes data behind a mark of lower-case letters. Longer texts than the
// 90 characters of BIP-173 are allowed: the checksum then finds fewer errors for
// certain, and all others with the same chance.
func bech32m(mark string, data []byte) string {
	symbols := regroup(data, 8, 5)
	sum := polymod(slices.Concat(expand(mark), symbols, make([]byte, 6))) ^ bech32mConst
	for i := range 6 {
		symbols = append(symbols, byte(sum>>(5*(5-i)))&31)
	}
	text := make([]byte, len(symbols))
	for i, s := range symbols {
		text[i] = bech32Chars[s]
	}
	return mark + "1" + string(text)
}

// unbech32m decodes a text in lower case. It reports false if a character, the
// checksum or the padding is wrong.
func unbech32m(text string) (mark string, data []byte, ok bool) {
	mark, symbols, ok := checked(text)
	if !ok {
		return "", nil, false
	}
	data = regroup(symbols, 5, 8)
	whole := len(symbols) * 5 / 8 // what is left over is padding: less than a symbol, and 0
	return mark, data[:whole], len(symbols)*5%8 < 5 && (whole == len(data) || data[whole] == 0)
}

// checked splits a text at its last 1 into mark and symbols, without the
// checksum, which it checks.
func checked(text string) (mark string, symbols []byte, ok bool) {
	at := strings.LastIndexByte(text, '1')
	if at < 1 || len(text)-at-1 < 6 || len(text) > MaxInvite {
		return "", nil, false
	}
	mark = text[:at]
	if strings.ContainsFunc(mark, func(r rune) bool { return r < 33 || r > 126 || 'A' <= r && r <= 'Z' }) {
		return "", nil, false
	}
	for i := at + 1; i < len(text); i++ {
		s := strings.IndexByte(bech32Chars, text[i])
		if s < 0 {
			return "", nil, false
		}
		symbols = append(symbols, byte(s))
	}
	return mark, symbols[:len(symbols)-6], polymod(append(expand(mark), symbols...)) == bech32mConst
}

// polymod is the remainder of the code's polynomial (BIP-173).
func polymod(symbols []byte) uint32 {
	sum := uint32(1)
	for _, s := range symbols {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(s)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 != 0 {
				sum ^= g
			}
		}
	}
	return sum
}

// expand puts the mark under the checksum: high bits, a zero, low bits (BIP-173).
func expand(mark string) (symbols []byte) {
	for i := range len(mark) {
		symbols = append(symbols, mark[i]>>5)
	}
	symbols = append(symbols, 0)
	for i := range len(mark) {
		symbols = append(symbols, mark[i]&31)
	}
	return symbols
}

// regroup cuts a string of bits anew, from groups of one size into groups of
// another; the last is filled up with zeros.
func regroup(groups []byte, from, to int) (out []byte) {
	bits, n := 0, 0
	for _, g := range groups {
		bits, n = bits<<from|int(g), n+from
		for ; n >= to; n -= to {
			out = append(out, byte(bits>>(n-to))&(1<<to-1))
		}
		bits &= 1<<n - 1
	}
	if n > 0 {
		out = append(out, byte(bits<<(to-n))&(1<<to-1))
	}
	return out
}
