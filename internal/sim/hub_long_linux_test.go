//go:build long

package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The hub is what lies between machines: it carries, delays, loses and cuts. A
// machine is a network namespace whose only way out is a TUN device, so processes
// in it use the kernel's own TCP and UDP and know nothing of the hub, which reads
// each packet, looks at where it goes, and writes it into that machine's device
// when its time has come. It needs no module of the kernel but tun.
type hub struct {
	*testing.T
	machines map[netip.Addr]*machine // by each of their addresses
	ends     sync.WaitGroup
	building atomic.Bool // all are in one: it carries multicast
}

// machine is a network namespace at the hub.
type machine struct {
	hub   *hub
	space string     // the namespace's name
	addr  netip.Addr // 10.77.0.1 and so on
	addr6 netip.Addr // fd77::1 and so on, from give6 on
	where string     // the node on it listens
	face  netip.Addr // of its router, if that translates: an address of the internet
	tun   *os.File
	to    map[*machine]*line

	mu    sync.Mutex // guards the rest
	shut  bool
	spoke map[flow]time.Time // as others see it
	ports *translation       // nil: they stay as they are
	noUDP bool               // it lets out TCP alone
}

// translation is what a router makes of a machine's ports.
type translation struct {
	each bool            // another port for each correspondent, where others have one for all
	out  map[flow]uint16 // the port of a conversation
	in   map[flow]uint16 // whose a port is; of the flow only protocol and port
}

// flow is a conversation as the machine that began it sees it.
type flow struct {
	proto         byte
	here, there   uint16
	correspondent netip.Addr
}

// weather is how one direction of a line is.
type weather struct {
	delay time.Duration
	loss  float64 // of each packet, 0 to 1
	rate  int     // bytes a second; 0: as fast as the hub can
	cut   bool
}

// line is one direction between two machines. Packets do not overtake each other.
type line struct {
	due chan packet

	mu     sync.Mutex // guards the rest
	now    weather
	chance *rand.Rand
	free   time.Time // when what was sent before has left, at a rate

	carried, lost atomic.Int64
}

type packet struct {
	at   time.Time
	data []byte
}

const (
	mtu      = 1500
	backlog  = 4096                   // packets under way on a line; more are lost
	patience = 200 * time.Millisecond // of a narrow line's buffer; what would wait longer is lost
	forgets  = 30 * time.Second       // an idle conversation, behind a router
)

// newHub makes the machines, 10.77.0.1 and so on. All lines are perfect at first.
// Where namespaces cannot be had it skips the test: the same stories run as
// processes on one machine in this package's other tests, where nothing is lost
// between them.
func newHub(t *testing.T, seed uint64, names ...string) (*hub, []*machine) {
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		t.Skip("no machines of their own here: network namespaces need root and iproute2")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("no machines of their own here: %v", err)
	}
	h := &hub{T: t, machines: map[netip.Addr]*machine{}}
	var machines []*machine
	for i, name := range names {
		m := &machine{hub: h, space: fmt.Sprintf("croft%d-%s", os.Getpid(), name), addr: netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}), face: netip.AddrFrom4([4]byte{20, 77, 0, byte(i + 1)}), to: map[*machine]*line{}, spoke: map[flow]time.Time{}}
		m.addr6, m.where = netip.MustParseAddr(fmt.Sprintf("fd77::%x", i+1)), m.addr.String()+":7421"
		m.plug()
		h.machines[m.addr], h.machines[m.addr6], h.machines[m.face] = m, m, m
		machines = append(machines, m)
	}
	for i, from := range machines {
		for j, to := range machines {
			if from != to {
				l := &line{due: make(chan packet, backlog), chance: rand.New(rand.NewPCG(seed, uint64(i<<8|j)))}
				from.to[to] = l
				h.ends.Go(func() { l.deliver(to.tun) })
			}
		}
	}
	var readers sync.WaitGroup
	for _, m := range machines {
		readers.Go(m.read)
	}
	t.Cleanup(func() {
		for _, m := range machines {
			m.tun.Close()
		}
		readers.Wait()
		for _, m := range machines {
			for _, l := range m.to {
				close(l.due)
			}
		}
		h.ends.Wait()
	})
	out, _ := exec.Command("ip", "netns", "list").Output()
	t.Logf("$ ip netns list\n%s", out)
	return h, machines
}

// plug makes the namespace and its device. The device is made here and moved: its
// file stays with the hub.
func (m *machine) plug() {
	t := m.hub
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no machines of their own here: %v", err)
	}
	request, err := unix.NewIfreq("croft%d")
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		t.Skipf("no machines of their own here: %v", err)
	}
	m.tun = os.NewFile(uintptr(fd), m.space) // waits without a thread: the descriptor does not block
	t.ip("netns", "add", m.space)
	t.Cleanup(func() { t.ip("netns", "del", m.space) })
	t.ip("link", "set", request.Name(), "netns", m.space, "name", "eth0", "mtu", fmt.Sprint(mtu))
	t.ip("-n", m.space, "link", "set", "lo", "up")
	t.ip("-n", m.space, "link", "set", "eth0", "addrgenmode", "none")
	t.ip("-n", m.space, "addr", "add", m.addr.String()+"/24", "dev", "eth0")
	t.ip("-n", m.space, "link", "set", "eth0", "up")
}

// give6 gives the machine an address of IPv6 too, and one for its own network, from
// which multicast comes. The node on it listens as most do.
func (m *machine) give6() {
	m.where = "lan"
	for _, addr := range []string{m.addr6.String(), strings.Replace(m.addr6.String(), "fd77", "fe80", 1)} {
		m.hub.ip("-n", m.space, "addr", "add", addr+"/64", "dev", "eth0", "nodad")
	}
}

// take4 takes the machine's address of IPv4.
func (m *machine) take4() {
	m.hub.ip("-n", m.space, "addr", "del", m.addr.String()+"/24", "dev", "eth0")
}

func (h *hub) ip(args ...string) {
	h.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		h.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// inside is what to put before a command so that it runs on the machine.
func (m *machine) inside() []string { return []string{"ip", "netns", "exec", m.space} }

// set makes one direction of a line so, from now on.
func (m *machine) set(to *machine, w weather) {
	l := m.to[to]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = w
}

// all makes all lines so.
func (h *hub) all(w weather) {
	for _, from := range h.machines {
		for to := range from.to {
			from.set(to, w)
		}
	}
}

// part cuts all lines between two groups.
func (h *hub) part(some, others []*machine) {
	for _, a := range some {
		for _, b := range others {
			a.set(b, weather{cut: true})
			b.set(a, weather{cut: true})
		}
	}
}

// closeDoor puts the machine behind a router that lets in answers only, as long as
// the conversation is not forgotten. Addresses stay as they are.
func (m *machine) closeDoor() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shut, m.spoke = true, map[flow]time.Time{}
}

// translate closes its door too, and has the router put its own address and ports in
// place of the machine's: what nearly every router of a house does. With each it takes
// another port for each correspondent ("symmetric"), so that nobody can foretell it.
func (m *machine) translate(each bool) {
	m.closeDoor()
	m.mu.Lock()
	m.ports = &translation{each, map[flow]uint16{}, map[flow]uint16{}}
	m.mu.Unlock()
	for addr, other := range m.hub.machines {
		if addr == other.addr {
			m.hub.ip("-n", other.space, "route", "replace", m.face.String(), "dev", "eth0")
		}
	}
}

// read takes what the machine sends.
func (m *machine) read() {
	buffer := make([]byte, mtu)
	for {
		n, err := m.tun.Read(buffer)
		if err != nil {
			return // unplugged
		}
		p, now := buffer[:n], time.Now()
		e, ok := envelopeOf(p)
		switch to, here := m.hub.machines[e.to]; {
		case !ok:
		case here && to != m:
			if m.speaks(p, now) && to.hears(p, now) {
				m.to[to].send(p, now)
			}
		case e.to.IsMulticast() && m.hub.building.Load():
			for _, l := range m.to {
				l.send(p, now)
			}
		}
	}
}

// speaks translates a packet, if its router does, and notes what answers a closed door
// lets in. It says whether the packet goes on.
func (m *machine) speaks(p []byte, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, _ := envelopeOf(p)
	if m.noUDP && e.proto == unix.IPPROTO_UDP {
		return false
	}
	if t := m.ports; t != nil && e.to.Is4() {
		if e.src == 0 {
			return false // no port to translate
		}
		f := flow{proto: e.proto, here: e.src}
		if t.each {
			f.there, f.correspondent = e.dst, e.to
		}
		port, known := t.out[f]
		if !known {
			port = uint16(40000 + len(t.out))
			t.out[f], t.in[flow{proto: e.proto, here: port}] = port, e.src
		}
		rewrite(p, 12, m.face, 0, port)
		e.src = port
	}
	if m.shut {
		m.spoke[flow{e.proto, e.src, e.dst, e.to}] = now
	}
	return true
}

// hears says whether a packet is let in, and translates it back.
func (m *machine) hears(p []byte, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, _ := envelopeOf(p)
	if e.to.Is4() && (e.to == m.face) != (m.ports != nil) {
		return false // there is nobody
	}
	if !m.shut {
		return true
	}
	last, known := m.spoke[flow{e.proto, e.dst, e.src, e.from}]
	if !known || now.Sub(last) >= forgets {
		return false
	}
	if m.ports != nil && e.to.Is4() {
		rewrite(p, 16, m.addr, 2, m.ports.in[flow{proto: e.proto, here: e.dst}])
	}
	return true
}

// envelope is what the hub looks at of a packet.
type envelope struct {
	from, to netip.Addr
	proto    byte
	src, dst uint16 // ports of TCP and UDP; of anything else, and of a fragment, none
}

func envelopeOf(p []byte) (e envelope, ok bool) {
	header, whole := 0, true
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		e = envelope{from: netip.AddrFrom4([4]byte(p[12:16])), to: netip.AddrFrom4([4]byte(p[16:20])), proto: p[9]}
		header, whole = int(p[0]&15)*4, binary.BigEndian.Uint16(p[6:])&0x1fff == 0
	case len(p) >= 40 && p[0]>>4 == 6: // what lies between its header and another has a number of its own
		e = envelope{from: netip.AddrFrom16([16]byte(p[8:24])), to: netip.AddrFrom16([16]byte(p[24:40])), proto: p[6]}
		header = 40
	default:
		return e, false
	}
	if (e.proto == unix.IPPROTO_TCP || e.proto == unix.IPPROTO_UDP) && len(p) >= header+8 && whole {
		e.src, e.dst = binary.BigEndian.Uint16(p[header:]), binary.BigEndian.Uint16(p[header+2:])
	}
	return e, true
}

// rewrite puts an address of IPv4 and a port into a packet of TCP or UDP, and sets its sums
// right, of the header and of all (RFC 1624, equation 3).
func rewrite(p []byte, addrAt int, addr netip.Addr, portAt int, port uint16) {
	header := int(p[0]&15) * 4
	all := header + 16
	if p[9] == unix.IPPROTO_UDP {
		all = header + 6
	}
	put := func(at int, word uint16, sums ...int) {
		old := binary.BigEndian.Uint16(p[at:])
		for _, s := range sums {
			sum := uint32(^binary.BigEndian.Uint16(p[s:])) + uint32(^old) + uint32(word)
			sum = sum>>16 + sum&0xffff
			binary.BigEndian.PutUint16(p[s:], ^uint16(sum>>16+sum&0xffff))
		}
		binary.BigEndian.PutUint16(p[at:], word)
	}
	to := addr.As4()
	put(addrAt, binary.BigEndian.Uint16(to[:]), 10, all)
	put(addrAt+2, binary.BigEndian.Uint16(to[2:]), 10, all)
	put(header+portAt, port, all)
}

// send puts a packet on the line, or loses it.
func (l *line) send(p []byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.now
	if w.cut || w.loss > 0 && l.chance.Float64() < w.loss {
		l.lost.Add(1)
		return
	}
	at := now
	if w.rate > 0 {
		if l.free.Sub(now) > patience {
			l.lost.Add(1)
			return
		}
		if l.free.After(at) {
			at = l.free
		}
		at = at.Add(time.Duration(len(p)) * time.Second / time.Duration(w.rate))
		l.free = at
	}
	select {
	case l.due <- packet{at.Add(w.delay), append([]byte(nil), p...)}:
		l.carried.Add(1)
	default:
		l.lost.Add(1)
	}
}

// deliver hands packets over when they are due. A cut loses what is under way too.
func (l *line) deliver(to *os.File) {
	for p := range l.due {
		time.Sleep(time.Until(p.at))
		l.mu.Lock()
		cut := l.now.cut
		l.mu.Unlock()
		if !cut {
			_, _ = to.Write(p.data) // a machine that is not there loses it
		}
	}
}
