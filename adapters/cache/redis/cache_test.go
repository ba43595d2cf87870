package redis_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers"
)

// printed counts what go-redis would have printed to standard error.
type printed struct{ lines atomic.Int64 }

func (p *printed) Printf(_ context.Context, format string, args ...any) {
	p.lines.Add(1)
	fmt.Printf("go-redis: "+format+"\n", args...)
}

// TestMain fails if go-redis prints anything, whatever happens to the servers of the tests.
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

const macKey = "the key of these tests"

const patient = 5 * time.Second // a machine under test may be slow; the promised time is tested alone

func blockKey(i int) blockcache.Key {
	return blockcache.Key{
		Store: "memory", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}, Index: int64(i),
	}
}

// block returns block i with prices from 10,000 on.
func block(tb testing.TB, i, bars int) blockcache.Block {
	tb.Helper()
	return pricedBlock(tb, i, bars, 10_000)
}

func pricedBlock(tb testing.TB, i, bars int, price int64) blockcache.Block {
	tb.Helper()
	key := blockKey(i)
	start, _ := domain.BarBlocks(key.Series.Grid).Bounds(key.Index)
	b := domain.NewSeriesBuilder(key.Series, bars)
	for n := range bars {
		price, err := domain.NewDecimal(100*price+int64(n%97), 2)
		if err != nil {
			tb.Fatal(err)
		}

		err = b.Append(domain.Bar{
			OpenTime: (start + domain.Micros(n)*60_000_000).Time(), Open: price, High: price, Low: price, Close: price,
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

	return blockcache.Block{Version: domain.Version{Revision: price, Nonce: uint64(i)}, Bars: s, Validated: i%2 == 0}
}

func equal(a, b blockcache.Block) bool {
	return a.Version == b.Version && a.Validated == b.Validated && a.Bars.Equal(b.Bars)
}

// get returns the block under the key of block i.
func get(tb testing.TB, c *redis.Cache, i int) (b blockcache.Block, ok bool) {
	tb.Helper()
	blocks := c.GetBlocks(tb.Context(), []blockcache.Key{blockKey(i)})
	if len(blocks) != 1 {
		tb.Fatalf("got %d blocks of one key", len(blocks))
	}

	return blocks[0], blocks[0].Bars.Len() > 0
}

func put(tb testing.TB, c *redis.Cache, i int, b blockcache.Block) {
	tb.Helper()
	c.PutBlocks(tb.Context(), []blockcache.Key{blockKey(i)}, []blockcache.Block{b})
}

func openCache(tb testing.TB, cfg redis.Config) *redis.Cache {
	tb.Helper()
	if cfg.Key.Reveal() == "" {
		cfg.Key = secret.New(macKey)
	}
	c, end, err := redis.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(end)

	return c
}

// open returns a Cache with a new prefix, and a client that bypasses it.
func open(tb testing.TB, url string, timeout time.Duration) (c *redis.Cache, behind *goredis.Client, prefix string) {
	tb.Helper()
	prefix = rand.Text() + ":"
	options, err := goredis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}

	behind = goredis.NewClient(options)
	tb.Cleanup(func() { _ = behind.Close() })

	return openCache(tb, redis.Config{URL: secret.New(url), Prefix: prefix, Timeout: timeout}), behind, prefix
}

// name returns the key of block i in Redis.
func name(prefix string, i int) string { return fmt.Sprintf("%smemory BTC/USD 1m trade %d", prefix, i) }

func TestContract(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	contract.SharedBlockCache(t, func(tb testing.TB) []blockcache.SharedCache {
		cfg := redis.Config{URL: secret.New(url), Prefix: rand.Text(), Timeout: patient}
		return []blockcache.SharedCache{openCache(tb, cfg), openCache(tb, cfg)}
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	c, behind, prefix := open(t, servers.Redis(t), patient)
	put(t, c, 1, block(t, 1, 10))
	left, err := behind.PTTL(t.Context(), name(prefix, 1)).Result()
	if week := 7 * 24 * time.Hour; err != nil || left < week-time.Minute || left > week {
		t.Errorf("the time to live is %s, %v", left, err)
	}
}

// TestPoisonedValuesAreMisses replaces a value by others; none is a block, and all are counted.
func TestPoisonedValuesAreMisses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, behind, prefix := open(t, servers.Redis(t), patient)
	want := block(t, 1, 500)
	put(t, c, 1, want)
	put(t, c, 2, block(t, 2, 500))
	authentic, err := behind.Get(ctx, name(prefix, 1)).Bytes()
	if err != nil {
		t.Fatal(err)
	}

	other, err := behind.Get(ctx, name(prefix, 2)).Bytes()
	if err != nil {
		t.Fatal(err)
	}

	poisoned := map[string][]byte{
		"another key's": other, "text": []byte("OHLCV"), "twice": slices.Concat(authentic, authentic),
		"oversized": make([]byte, 8<<20), "oversized with a right begin": append(slices.Clone(authentic), make([]byte, 8<<20)...),
	}
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range 2_000 {
		b := slices.Clone(authentic)
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

	for label, value := range poisoned {
		if err := behind.Set(ctx, name(prefix, 1), value, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		if got, ok := get(t, c, 1); ok {
			t.Fatalf("%s: got %v", label, got.Bars)
		}
	}

	if n := int(c.Stats().Rejected); n != len(poisoned) {
		t.Errorf("%d of %d poisoned values were counted", n, len(poisoned))
	}
	if err := behind.Set(ctx, name(prefix, 1), authentic, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}

	if got, ok := get(t, c, 1); !ok || !equal(got, want) {
		t.Errorf("the authentic value is not returned: %v", got.Bars)
	}
}

// TestForgedValuesAreMisses writes the price 666 in the place of 142, with every checksum that needs no key.
func TestForgedValuesAreMisses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := servers.Redis(t)
	c, behind, prefix := open(t, url, patient)
	forger := openCache(t, redis.Config{
		URL: secret.New(url), Prefix: prefix, Timeout: patient, Key: secret.New("the key of another deployment"),
	})
	genuine, forged := pricedBlock(t, 1, 10, 142), pricedBlock(t, 1, 10, 666)
	forged.Version = genuine.Version
	stored := func(c *redis.Cache, b blockcache.Block) []byte {
		put(t, c, 1, b)
		value, err := behind.Get(ctx, name(prefix, 1)).Bytes()
		if err != nil {
			t.Fatal(err)
		}

		return value
	}
	const macSize = 16
	authentic, foreign := stored(c, genuine), stored(forger, forged)
	body, mac := foreign[:len(foreign)-macSize], authentic[len(authentic)-macSize:]
	digest := sha256.Sum256(body)
	unkeyed := hmac.New(sha256.New, nil)
	unkeyed.Write(body)

	for label, value := range map[string][]byte{
		"the code of another key":           foreign,
		"the code of the real block":        slices.Concat(body, mac),
		"no code":                           body,
		"a CRC":                             withCRC(body),
		"SHA-256":                           slices.Concat(body, digest[:macSize]),
		"HMAC-SHA256 without a key":         slices.Concat(body, unkeyed.Sum(nil)[:macSize]),
		"format version 2, with its CRC":    valueOfVersion2(t, blockKey(1), forged.Bars),
		"zeros":                             slices.Concat(body, make([]byte, macSize)),
		"the real block within the forgery": slices.Concat(body, authentic),
	} {
		if err := behind.Set(ctx, name(prefix, 1), value, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}

		before := c.Stats().Rejected
		if got, ok := get(t, c, 1); ok {
			t.Errorf("%s: got %v", label, got.Bars)
		}
		if n := c.Stats().Rejected - before; n != 1 {
			t.Errorf("%s: %d values were counted as rejected", label, n)
		}
	}
}

func withCRC(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clone(b), crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// valueOfVersion2 returns a value as programs wrote it when a value had only a checksum.
func valueOfVersion2(tb testing.TB, key blockcache.Key, bars domain.Series) []byte {
	tb.Helper()
	start, end := domain.BarBlocks(key.Series.Grid).Bounds(key.Index)
	text := fmt.Sprintf("%d %d %s %s %s %s", start, end, key.Series.Symbol, key.Series.Grid, key.Series.PriceType, key.Store)
	b := append([]byte("mdchunk\x02"), make([]byte, 16+1+8*8)...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	b = append(b, text...)
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(bars.Len()))
	b, err := codec.Append(b, bars)
	if err != nil {
		tb.Fatal(err)
	}

	return withCRC(b)
}

// TestPrefixesSeparate shows that a value is bound to its prefix, also where the key is the same.
func TestPrefixesSeparate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := servers.Redis(t)
	c, behind, prefix := open(t, url, patient)
	other, _, otherPrefix := open(t, url, patient)
	put(t, other, 1, block(t, 1, 10))
	if got, ok := get(t, c, 1); ok {
		t.Errorf("got %v of another prefix", got.Bars)
	}
	if err := behind.Copy(ctx, name(otherPrefix, 1), name(prefix, 1), 0, true).Err(); err != nil {
		t.Fatal(err)
	}

	if got, ok := get(t, c, 1); ok || c.Stats().Rejected != 1 {
		t.Errorf("got %v, copied from another prefix", got.Bars)
	}
}

// TestOtherTypesAreMisses stores a list under a key of a block: only this block is a miss.
func TestOtherTypesAreMisses(t *testing.T) {
	t.Parallel()
	c, behind, prefix := open(t, servers.Redis(t), patient)
	put(t, c, 0, block(t, 0, 10))
	put(t, c, 2, block(t, 2, 10))
	if err := behind.RPush(t.Context(), name(prefix, 1), "x").Err(); err != nil {
		t.Fatal(err)
	}

	got := c.GetBlocks(t.Context(), []blockcache.Key{blockKey(0), blockKey(1), blockKey(2)})
	if !equal(got[0], block(t, 0, 10)) || got[1].Bars.Len() > 0 || !equal(got[2], block(t, 2, 10)) {
		t.Errorf("got %v", got)
	}
	if s := c.Stats(); s.Hits != 2 || s.Misses != 1 || s.Failed != 1 {
		t.Errorf("counted %+v", s)
	}
	put(t, c, 1, block(t, 1, 10)) // SET replaces a list
	if got, ok := get(t, c, 1); !ok || !equal(got, block(t, 1, 10)) {
		t.Errorf("got %v", got.Bars)
	}
}

// TestUnfitBlocksAreNotStored puts blocks that are none of their key.
func TestUnfitBlocksAreNotStored(t *testing.T) {
	t.Parallel()
	c, behind, prefix := open(t, servers.Redis(t), patient)
	put(t, c, 1, block(t, 1, 0))
	eth := blockKey(2)
	eth.Series.Symbol = "ETH/USD"
	c.PutBlocks(t.Context(), []blockcache.Key{eth}, []blockcache.Block{block(t, 2, 10)})
	put(t, c, 3, block(t, 4, 10)) // stored, because only a read checks the times
	if got := c.GetBlocks(t.Context(), []blockcache.Key{blockKey(1), eth, blockKey(3)}); got[0].Bars.Len()+
		got[1].Bars.Len()+got[2].Bars.Len() > 0 {
		t.Errorf("got %v", got)
	}
	if n, err := behind.Keys(t.Context(), prefix+"*").Result(); err != nil || len(n) != 1 {
		t.Errorf("stored %v, %v", n, err)
	}
}

// TestUserNeedsFewCommands uses a server as a user who may do no more than the documentation of Config.URL says.
func TestUserNeedsFewCommands(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const user, password, prefix = "cache", "swordfish", "some:"
	err := s.behind.Do(t.Context(), "ACL", "SETUSER", user, "on", ">"+password, "~"+prefix+"*", "-@all",
		"+getrange", "+set", "+select").Err()
	if err != nil {
		t.Fatal(err)
	}

	address := strings.TrimPrefix(strings.TrimSuffix(s.url, "/0"), "redis://")
	c := openCache(t, redis.Config{
		URL: secret.New("redis://" + user + ":" + password + "@" + address + "/3"), Prefix: prefix, Timeout: patient,
	})
	put(t, c, 1, block(t, 1, 10))
	if got, ok := get(t, c, 1); !ok || !equal(got, block(t, 1, 10)) || c.Stats().Failed > 0 {
		t.Errorf("got %v, %+v", got.Bars, c.Stats())
	}

	stranger := openCache(t, redis.Config{
		URL: secret.New("redis://" + user + ":wrong@" + address + "/3"), Prefix: prefix, Timeout: patient,
	})
	put(t, stranger, 1, block(t, 1, 20))
	if got, ok := get(t, stranger, 1); ok || stranger.Stats().Failed != 2 {
		t.Errorf("got %v with a wrong password, %+v", got.Bars, stranger.Stats())
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for label, cfg := range map[string]redis.Config{
		"no key":      {URL: secret.New("redis://127.0.0.1:1/0")},
		"a short key": {URL: secret.New("redis://127.0.0.1:1/0"), Key: secret.New(macKey[:15])},
		"no URL":      {Key: secret.New(macKey[:16])},
		"a timeout":   {URL: secret.New("redis://127.0.0.1:1/0"), Key: secret.New(macKey[:16]), Timeout: 1},
	} {
		if _, _, err := redis.Open(cfg); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: got %v", label, err)
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const password = "hunter2 and more"
	key, verbs := []byte(password), []string{"%v", "%+v", "%#v", "%x", "%s", "%d"}
	type hidden struct{ value any } // fmt does not call the methods of an unexported field
	for _, url := range []string{
		"redis://u:" + password + "@127.0.0.1:1/0", "http://u:" + password + "@h", "redis://u:" + password + "@h:x%zz",
		"redis://u:" + password + "@h/x",
	} {
		cfg := redis.Config{URL: secret.New(url), Key: secret.New(password)}
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}

		said := fmt.Sprintf("%s %s", cfg.Key, text)
		c, end, err := redis.Open(cfg)
		if err == nil {
			end()
		}
		for _, verb := range verbs {
			said += fmt.Sprintf(verb+verb+verb, cfg, hidden{cfg}, c)
		}

		said += fmt.Sprint(err)
		for _, leak := range []string{"hunter2", fmt.Sprintf("%d", key)[1:10], fmt.Sprintf("%x", key), fmt.Sprintf("%#v", key)[7:20]} {
			if strings.Contains(said, leak) {
				t.Errorf("%q is in %q", leak, said)
			}
		}
		if cfg.Key.Reveal() != password {
			t.Error("the key is lost")
		}
	}
}

// BenchmarkGetBlocks gets a million bars, in 245 blocks.
func BenchmarkGetBlocks(b *testing.B) {
	const n, bars = 245, 4096
	c, _, _ := open(b, servers.Redis(b), patient)
	var keys []blockcache.Key
	for i := range n {
		keys = append(keys, blockKey(i))
		put(b, c, i, block(b, i, bars))
	}
	for b.Loop() {
		c.GetBlocks(b.Context(), keys)
	}

	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*bars), "ns/bar")
	if s := c.Stats(); s.Misses > 0 {
		b.Errorf("%d misses", s.Misses)
	}
}
