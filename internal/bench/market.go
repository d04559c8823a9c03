package bench

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/pay"
	"croft/internal/serve"
	"croft/internal/store"
)

// MarketOptions says where to measure and how long.
type MarketOptions struct {
	Dir      string        // a folder on the file system to measure; made and removed below it
	Time     time.Duration // for each number of calls in flight
	Channels int           // for the memory
	Where
}

// MarketReport is what paid calls cost: both ends in this process, the provider's
// journal on a real disk, no network between them.
type MarketReport struct {
	Where
	CPUs       int           `json:"cpus"`
	FileSystem string        `json:"file_system"`
	Sync       time.Duration `json:"fdatasync_p50_ns"` // after 400 bytes more in a file
	Journal    time.Duration `json:"journal_p50_ns"`   // the same, by the journal of a till
	Vouchers   float64       `json:"vouchers_verified_per_second_per_core"`
	Calls      []MarketCalls `json:"calls"`
	Reads      int64         `json:"ledger_reads_on_the_paid_path"`
	Writes     int64         `json:"ledger_writes_on_the_paid_path"`
	Channels   int           `json:"channels_open"`
	Memory     int64         `json:"bytes_a_channel"`      // of the provider's heap
	Used       int64         `json:"bytes_a_used_channel"` // with as many calls as it remembers
}

// MarketCalls is a run with so many calls in flight on one channel.
type MarketCalls struct {
	InFlight int           `json:"in_flight"`
	Rate     float64       `json:"paid_calls_per_second"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Unpaid   time.Duration `json:"unpaid_p50_ns"`
	Added    time.Duration `json:"added_p50_ns"`
	Sync     time.Duration `json:"sync_p50_ns"` // of it, that the calls waited for the disk, in this run
}

// Market measures paid calls. It refuses a file system in memory: its syncs cost
// nothing, and nothing that it keeps survives.
func Market(ctx context.Context, o MarketOptions, progress func(string)) (r *MarketReport, err error) {
	r = &MarketReport{Where: o.Where, CPUs: runtime.GOMAXPROCS(0)}
	if r.FileSystem, err = fileSystem(o.Dir); err != nil {
		return nil, croft.E(croft.ErrFolder, o.Dir, err)
	}
	if r.FileSystem == "tmpfs" || r.FileSystem == "ramfs" {
		return nil, croft.E(croft.ErrUsage, o.Dir+" is in memory ("+r.FileSystem+"): a sync there costs nothing", "name a folder on a disk: croft bench market --on DIR")
	}
	dir, err := os.MkdirTemp(o.Dir, "croft-bench-")
	if err != nil {
		return nil, croft.E(croft.ErrFolder, o.Dir, err)
	}
	defer os.RemoveAll(dir)
	progress("the disk: " + r.FileSystem)
	if r.Sync, r.Journal, err = syncTimes(dir); err != nil {
		return nil, err
	}
	progress("vouchers")
	r.Vouchers, r.Used = vouchers()
	s, err := newStall(filepath.Join(dir, "till"), o.Channels)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r.Channels, r.Memory = o.Channels, s.heap/int64(max(o.Channels, 1))
	if _, err := s.run(ctx, s.paid, 1, 50); err != nil { // the till is asked, trust begins
		return nil, err
	}
	s.reads.Store(0)
	for _, n := range []int{1, 16, 256} {
		progress(fmt.Sprintf("%d in flight", n))
		c, err := s.measure(ctx, n, o.Time)
		if err != nil {
			return nil, err
		}
		r.Calls = append(r.Calls, c)
	}
	r.Reads, r.Writes = s.reads.Load(), s.writes.Load()
	return r, nil
}

// syncTimes are the medians of making 400 bytes durable: alone at the end of a file, and
// in a journal. They take turns, so that what else the disk does slows both.
func syncTimes(dir string) (plain, journal time.Duration, err error) {
	f, err := os.Create(filepath.Join(dir, "plain"))
	if err != nil {
		return 0, 0, croft.E(croft.ErrFolder, dir, err)
	}
	defer f.Close()
	j, err := store.OpenJournal(filepath.Join(dir, "journal"), func([]byte) error { return nil })
	if err != nil {
		return 0, 0, err
	}
	defer j.Close()
	entry := make([]byte, 400)
	var times [2][]time.Duration
	for range 300 {
		for i, write := range []func() error{
			func() error { _, err := f.Write(entry); return cmp.Or(err, syncData(f)) },
			func() error { return j.Sync(j.Append(entry)) },
		} {
			begun := time.Now()
			if err := write(); err != nil {
				return 0, 0, err
			}
			times[i] = append(times[i], time.Since(begun))
		}
	}
	return quantile(times[0], 0.5), quantile(times[1], 0.5), nil
}

// vouchers returns how many vouchers one core checks in a second, and the bytes of a
// till that has finished more calls than it remembers.
func vouchers() (rate float64, used int64) {
	scope := croft.Scope{Chain: "bench"}
	key := keyOf("payer", 0)
	c := croft.Channel{ID: croft.ChannelID{1}, Payer: publicOf(key), Deposit: croft.MaxCredits}
	raws := make([][]byte, 2000)
	for n := range raws {
		raws[n] = pay.SealVoucher(scope, croft.Voucher{Channel: c.ID, Number: uint64(n) + 1, Request: croft.HashOf(n), Price: 1, Owed: croft.Credits(n) + 1}, signWith(key))
	}
	checked := make([]pay.Voucher, len(raws))
	begun := time.Now()
	for n, raw := range raws {
		var err error
		if checked[n], err = pay.CheckVoucher(scope, c, raw); err != nil {
			panic(err) // it was made above
		}
	}
	rate = float64(len(raws)) / time.Since(begun).Seconds()
	before := heap()
	till := pay.NewTill(c)
	for _, v := range checked {
		b := v.Body()
		_, err := till.Admit(v, pay.Call{Request: b.Request, Price: b.Price})
		if err == nil {
			_, _, err = till.Finish(b.Number, croft.Answered, croft.Hash{}, croft.Meter{}, b.Price)
		}
		if err != nil {
			panic(err)
		}
	}
	used = heap() - before
	runtime.KeepAlive(till)
	runtime.KeepAlive(checked)
	return rate, used
}

// stall is a caller and a provider over one ledger in memory.
type stall struct {
	caller, provider *market.Market
	paid, free       croft.Service
	journals         []*store.Journal
	reads, writes    atomic.Int64
	heap             int64 // that the provider's channels take
	syncs            syncs
}

// syncs is how long calls waited for the journal.
type syncs struct {
	mu    sync.Mutex
	times []time.Duration
}

// timed is a journal that says so.
type timed struct {
	*store.Journal
	to *syncs
}

func (j timed) Sync(mark uint64) error {
	begun := time.Now()
	err := j.Journal.Sync(mark)
	took := time.Since(begun)
	j.to.mu.Lock()
	defer j.to.mu.Unlock()
	j.to.times = append(j.to.times, took)
	return err
}

// taken returns the median since it was last asked.
func (s *syncs) taken() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	median := quantile(s.times, 0.5)
	s.times = nil
	return median
}

// nodeKeys are a member's keys by role, and its payment key.
type nodeKeys [4]ed25519.PrivateKey

func keyOf(name string, n int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, n))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(key ed25519.PrivateKey) croft.PublicKey {
	return croft.PublicKey(key.Public().(ed25519.PublicKey))
}

func signWith(key ed25519.PrivateKey) pay.Sign {
	return func(scope croft.Scope, domain string, body []byte) croft.Signature {
		return croft.Signature(ed25519.Sign(key, scope.Preimage(domain, body)))
	}
}

// newStall founds a network in memory, issues credits, publishes a paid and a free
// service, and opens channels: one for the calls, the others to be there.
func newStall(dir string, channels int) (*stall, error) {
	const each = 1000 // a member may fund so many
	names := []string{"provider", "caller"}
	for n := 0; n*each < channels; n++ {
		names = append(names, fmt.Sprint("funder ", n))
	}
	g := croft.Genesis{Version: 1, Name: "bench", Time: time.Now().Unix()}
	keys := make([]nodeKeys, len(names))
	for i, name := range names {
		for k := range keys[i] {
			keys[i][k] = keyOf(name, k)
		}
		public := publicOf(keys[i][0])
		g.Members = append(g.Members, croft.Member{ID: croft.IDOf(public), Name: name, Key: public, Node: publicOf(keys[i][1]), Validator: publicOf(keys[i][2]), Ready: true})
	}
	twin, err := chain.NewTwin(g)
	if err != nil {
		return nil, err
	}
	s := &stall{}
	rules := twin.Member()
	send := func(who int, body any) (croft.Hash, error) {
		raw := ledger.Seal(g.Scope(), g.Members[who].ID, uint64(s.writes.Add(1)), body, func(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
			return signWith(keys[who][role-1])(scope, domain, body)
		})
		return croft.Sum(raw), rules.Submit(context.Background(), raw)
	}
	for k, account := range names[1:] { // each vote is a question of its own
		for who := range len(names)/2 + 1 {
			id := g.Members[slices.Index(names, account)].ID
			if _, err := send(who, &ledger.Vote{Action: ledger.Mint, Sequence: uint64(k) + 1, Issue: &ledger.Issue{Number: uint64(k) + 1, Account: id, Amount: 100_000_000 * croft.Credit}}); err != nil {
				return nil, err
			}
		}
	}
	base := croft.Service{Provider: g.Members[0].ID, Version: 1, Task: serve.HTTP, Use: croft.UseNetwork, Tills: []croft.PublicKey{publicOf(keys[0][3])}}
	s.paid, s.free = base, base
	s.paid.Name, s.free.Name = "paid", "free"
	s.paid.Price = croft.Price{Call: 1000, Most: 1000}
	for _, v := range []croft.Service{s.paid, s.free} {
		if _, err := send(0, &ledger.Publish{Service: v}); err != nil {
			return nil, err
		}
	}
	open := func(who int, deposit croft.Credits) error {
		_, err := send(who, &ledger.Open{Service: s.paid.ID(), Payer: publicOf(keys[who][3]), Window: 3600, Deposits: []croft.Credits{deposit}})
		return err
	}
	node := func(who int, peers market.Peers) (*market.Market, error) {
		j, err := store.OpenJournal(filepath.Join(dir, names[who]), func([]byte) error { return nil })
		if err != nil {
			return nil, err
		}
		s.journals = append(s.journals, j)
		return market.New(market.Config{Self: g.Members[who].ID, Scope: g.Scope(), Key: publicOf(keys[who][3]), Sign: signWith(keys[who][3]), Ledger: counting{rules, s},
			Docs: store.NewMemoryDocs(new(store.Memory)), Peers: peers, Log: slog.New(slog.DiscardHandler), MinWindow: 60,
			MaxRisk: 1_000_000 * croft.Credit, Submit: func(context.Context, uint64, any) error { s.writes.Add(1); return nil }},
			func(func([]byte) error) (market.Journal, error) { return timed{j, &s.syncs}, nil })
	}
	if s.provider, err = node(0, nil); err != nil {
		return nil, err
	}
	if s.caller, err = node(1, direct{s, g.Members[1].ID}); err != nil {
		return nil, err
	}
	for n := range channels {
		if err := open(2+n/each, croft.Credit); err != nil {
			return nil, err
		}
	}
	before := heap()
	if err := s.provider.Catch(context.Background()); err != nil {
		return nil, err
	}
	s.heap = heap() - before
	if err := open(1, 50_000_000*croft.Credit); err != nil {
		return nil, err
	}
	for _, m := range []*market.Market{s.provider, s.caller} {
		if err := m.Catch(context.Background()); err != nil {
			return nil, err
		}
	}
	for _, v := range []croft.Service{s.paid, s.free} {
		s.provider.Offer(market.Offering{Service: v, Engine: echo{}})
	}
	s.writes.Store(0)
	return s, nil
}

func (s *stall) close() {
	for _, j := range s.journals {
		j.Close()
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// counting counts what is read of the ledger.
type counting struct {
	*chain.TwinMember
	s *stall
}

func (c counting) Read(ctx context.Context, key string) ([]byte, error) {
	c.s.reads.Add(1)
	return c.TwinMember.Read(ctx, key)
}

// direct is the way between the two nodes: a function call.
type direct struct {
	s    *stall
	from croft.MemberID
}

func (d direct) Ask(ctx context.Context, _ croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	return d.s.provider.Serve(ctx, d.from, request, part)
}

type echo struct{}

func (echo) Infer(_ context.Context, r serve.Request, _ func([]byte) error) (serve.Answer, error) {
	return serve.Answer{Body: r.Body}, nil
}

// run makes so many calls of a service, so many at a time, and returns how long each
// took.
func (s *stall) run(ctx context.Context, service croft.Service, inFlight, calls int) (times []time.Duration, err error) {
	body := []byte(`{"inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[61]}]}`)
	all := make([][]time.Duration, inFlight)
	errs := make([]error, inFlight)
	var left atomic.Int64
	left.Store(int64(calls))
	var workers sync.WaitGroup
	for w := range inFlight {
		workers.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				begun := time.Now()
				if _, errs[w] = s.caller.Call(ctx, market.Use{Service: service, Request: serve.Request{Task: serve.HTTP, Body: body}}); errs[w] != nil {
					return
				}
				all[w] = append(all[w], time.Since(begun))
			}
		})
	}
	workers.Wait()
	return slices.Concat(all...), cmp.Or(append(errs, ctx.Err())...)
}

// measure runs a number of calls in flight for about a time.
func (s *stall) measure(ctx context.Context, n int, about time.Duration) (c MarketCalls, err error) {
	warm := 20 * n
	begun := time.Now()
	if _, err := s.run(ctx, s.paid, n, warm); err != nil {
		return c, err
	}
	s.syncs.taken()
	calls := max(warm, int(float64(warm)*about.Seconds()/time.Since(begun).Seconds()))
	begun = time.Now()
	times, err := s.run(ctx, s.paid, n, calls)
	if err != nil {
		return c, err
	}
	took := time.Since(begun)
	c = MarketCalls{InFlight: n, Rate: float64(len(times)) / took.Seconds(), P50: quantile(times, 0.5), P99: quantile(times, 0.99), Sync: s.syncs.taken()}
	unpaid, err := s.run(ctx, s.free, n, calls)
	if err != nil {
		return c, err
	}
	c.Unpaid = quantile(unpaid, 0.5)
	c.Added = c.P50 - c.Unpaid
	return c, nil
}

func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}

// Print writes the report for people.
func (r *MarketReport) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	micros := func(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
	line("Paid calls: both ends in one process, no network between them; %d CPUs; %s", r.CPUs, r.told())
	line("Disk: %s; one sync takes %s (median), one of a journal %s", r.FileSystem, micros(r.Sync), micros(r.Journal))
	line("Vouchers verified: %.0f a second on one core", r.Vouchers)
	line("\nin flight\tpaid calls a second\tmedian\t99 %%\tthe same unpaid\tadded\tof it the disk")
	for _, c := range r.Calls {
		line("%d\t%.0f\t%s\t%s\t%s\t%s\t%s", c.InFlight, c.Rate, micros(c.P50), micros(c.P99), micros(c.Unpaid), micros(c.Added), micros(c.Sync))
	}
	line("\nLedger during all of these calls: %d reads, %d writes.", r.Reads, r.Writes)
	line("%d channels open: %d bytes of the provider's memory each; one on which a thousand calls were made: %d.", r.Channels, r.Memory, r.Used)
	return w.Flush()
}
