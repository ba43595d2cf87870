package redis_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers"
)

// printed is what go-redis would have printed to standard error.
type printed struct{ lines atomic.Int64 }

func (p *printed) Printf(_ context.Context, format string, args ...any) {
	p.lines.Add(1)
	fmt.Printf("go-redis: "+format+"\n", args...)
}

// Nothing of go-redis' is printed, whatever happens to the servers of the tests.
func TestMain(m *testing.M) {
	var p printed
	goredis.SetLogger(&p)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if n := p.lines.Load(); n > 0 && code == 0 {
			fmt.Println("FAIL: go-redis printed", n, "lines")
			code = 1
		}
		os.Exit(code)
	}))
}

const minute = 60_000_000

func chunkKey(i int) ports.ChunkKey {
	return ports.ChunkKey{
		Store: "memory", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()},
		Start: domain.Micros(i) * 4096 * minute, End: domain.Micros(i+1) * 4096 * minute,
	}
}

func chunk(tb testing.TB, i, bars int) ports.Chunk {
	tb.Helper()
	key := chunkKey(i)
	b := domain.NewSeriesBuilder(key.Series, bars)
	for n := range bars {
		price, err := domain.NewDecimal(int64(1_000_000+i+n%97), 2)
		if err != nil {
			tb.Fatal(err)
		}

		err = b.Append(domain.Bar{
			OpenTime: (key.Start + domain.Micros(n)*minute).Time(), Open: price, High: price, Low: price, Close: price,
			Volume: price, Trades: int64(n),
		})
		if err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return ports.Chunk{Bars: s, Validated: i%2 == 0, Claims: [2]uint64{uint64(i) << 40, 7}, ClosedBefore: domain.Micros(i), ReadAt: ports.WallMicros(i), TailValidUntil: 3, ValidUntil: 4}
}

func equal(a, b ports.Chunk) bool {
	same := a.Bars.Equal(b.Bars)
	a.Bars, b.Bars = domain.Series{}, domain.Series{}
	return same && a == b
}

// open returns a Cache with a prefix of its own, and a client that reaches behind it.
func open(tb testing.TB, url string, timeout time.Duration) (c *redis.Cache, behind *goredis.Client, prefix string) {
	tb.Helper()
	prefix = rand.Text() + ":"
	c, end, err := redis.Open(tb.Context(), redis.Config{URL: secret.New(url), Prefix: prefix, Timeout: timeout})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(end)
	options, err := goredis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}

	behind = goredis.NewClient(options)
	tb.Cleanup(func() { _ = behind.Close() })

	return c, behind, prefix
}

const patient = 5 * time.Second // a machine under test may be slow; what is promised is tested alone

func TestContract(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	contract.Cache(t, func(tb testing.TB) contract.CacheSubject[ports.ChunkKey, ports.Chunk] {
		c, _, _ := open(tb, url, patient)
		return contract.CacheSubject[ports.ChunkKey, ports.Chunk]{
			Cache: c, Key: chunkKey, Value: func(i int) ports.Chunk { return chunk(tb, i, 7*(i%3)) }, Equal: equal,
		}
	}, false)
}

func TestExpires(t *testing.T) {
	t.Parallel()
	c, behind, prefix := open(t, servers.Redis(t), patient)
	keeps(t, c, 1)
	left, err := behind.PTTL(t.Context(), prefix+"chunk:"+chunkKey(1).String()).Result()
	if err != nil || left < 59*time.Minute || left > time.Hour {
		t.Errorf("an hour to live is %s, %v", left, err)
	}
}

// Whatever somebody else puts in the place of a value is a miss, never a bar.
func TestPoisonedValuesAreMisses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, behind, prefix := open(t, servers.Redis(t), patient)
	text := func(i int) string { return prefix + "chunk:" + chunkKey(i).String() }
	want := chunk(t, 1, 500)
	for i := 1; i <= 2; i++ {
		c.Get(ctx, chunkKey(i))
		c.Put(ctx, chunkKey(i), chunk(t, i, 500), time.Hour)
	}

	sound, err := behind.Get(ctx, text(1)).Bytes()
	if err != nil {
		t.Fatal(err)
	}

	other, err := behind.Get(ctx, text(2)).Bytes()
	if err != nil {
		t.Fatal(err)
	}

	poisoned := map[string][]byte{
		"another key's": other, "empty": {}, "text": []byte("OHLCV"), "twice": append(append([]byte{}, sound...), sound...),
		"oversized": make([]byte, 8<<20),
	}
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range 2_000 {
		b := append([]byte{}, sound...)
		switch i % 3 {
		case 0:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 1:
			b = b[:1+r.IntN(len(b)-1)]
		default:
			at := r.IntN(len(b))
			b[at] += byte(1 + r.IntN(255))
		}

		poisoned[fmt.Sprint("mutation ", i)] = b
	}

	for name, value := range poisoned {
		if err := behind.Set(ctx, text(1), value, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Get(ctx, chunkKey(1)); ok {
			t.Fatalf("%s: got %v", name, got.Bars)
		}
	}

	if n := int(c.Stats().Poisoned); n < len(poisoned)-1 { // an empty one is none
		t.Errorf("%d of %d poisoned values were counted", n, len(poisoned))
	}
	if err := behind.Set(ctx, text(1), sound, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}

	if got, ok := c.Get(ctx, chunkKey(1)); !ok || !equal(got, want) {
		t.Errorf("the sound value is not returned: %v", got.Bars)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for _, url := range []string{
		"redis://u:" + password + "@127.0.0.1:1/0", "http://u:" + password + "@h", "redis://u:" + password + "@h:x%zz",
		"redis://u:" + password + "@h/x",
	} {
		cfg := redis.Config{URL: secret.New(url)}
		said := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)
		c, end, err := redis.Open(t.Context(), cfg)
		if err == nil {
			said += fmt.Sprint(c.Publish(t.Context(), ports.Invalidation{}))
			end()
		}

		if said += fmt.Sprint(err); strings.Contains(said, password) {
			t.Errorf("the secret is in %q", said)
		}
	}
}

func TestInvalidations(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	prefix := rand.Text()
	peer := func(tb testing.TB) ports.Invalidations {
		c, end, err := redis.Open(tb.Context(), redis.Config{URL: secret.New(url), Prefix: prefix, Timeout: patient})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(end)

		return c
	}
	here, there := peer(t), peer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := there.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}

	want := ports.Invalidation{Store: "postgres", Key: chunkKey(1).Series, Range: domain.Range{
		Start: time.UnixMicro(5 * minute).UTC(), End: time.UnixMicro(6 * minute).UTC(),
	}}
	if err := there.Publish(ctx, ports.Invalidation{Store: "own"}); err == nil {
		t.Log("an own one is not heard") // also: a zero key cannot be told
	}
	if err := here.Publish(ctx, want); err != nil {
		t.Fatal(err)
	}

	heard := 0
	for got, err := range changes {
		if err != nil {
			if ctx.Err() == nil {
				t.Fatal(err)
			}
			break
		}
		if heard++; got.Store != want.Store || got.Key != want.Key || !got.Range.Equal(want.Range) {
			t.Fatalf("heard %+v", got)
		}

		cancel()
	}

	if heard != 1 {
		t.Errorf("heard %d", heard)
	}
}
