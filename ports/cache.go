package ports

import (
	"context"
	"iter"
	"strconv"
	"time"
	"unsafe"

	"github.com/gal-friday/marketdata/domain"
)

// Cache keeps values that can be had again. What to keep, and for how long, is the application's to say. A cache never
// fails: one that cannot answer has nothing. Values are shared with every caller: nobody may change them. Safe for
// concurrent use.
type Cache[K comparable, V any] interface {
	// Get returns the value that was last put under key, unless its time to live is over, or it was deleted, or given
	// up for room. It never returns a value of another key, nor one that was put before the last.
	Get(ctx context.Context, key K) (V, bool)

	// Put keeps the value for at most ttl; one of zero or less keeps nothing. It may keep nothing at any time, and then
	// the value that was there before is gone too. A cache that processes share keeps nothing where another process
	// deleted the key since this one missed it: what is put was made of something older.
	Put(ctx context.Context, key K, value V, ttl time.Duration)

	// Delete forgets what is kept under the keys. A Get that begins after it returns misses, until the next Put.
	Delete(ctx context.Context, keys ...K)
}

// SymbolCache keeps what catalogs said of symbols.
type SymbolCache = Cache[domain.Symbol, SymbolEntry]

// SymbolEntry is what was said of a symbol: also that it is not known.
type SymbolEntry struct {
	Known       bool
	Meta        domain.SymbolMeta // where known
	Suggestions []domain.Symbol   // where not known: a few known ones like it
}

// SeriesCache keeps chunks of series.
type SeriesCache = Cache[ChunkKey, Chunk]

// ChunkKey names a chunk: the bars that a store has of a series and whose open time is in [Start, End). It is
// comparable.
type ChunkKey struct {
	Store      domain.StoreName
	Series     domain.SeriesKey
	Start, End domain.Micros
}

// String is "start end symbol grid kind store": different keys have different texts.
func (k ChunkKey) String() string {
	b := make([]byte, 0, 96)
	b = strconv.AppendInt(b, int64(k.Start), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(k.End), 10)
	b = append(b, ' ')
	b = append(b, k.Series.Symbol...)
	b = append(b, ' ')
	b = append(b, k.Series.Grid.String()...)
	b = append(b, ' ')
	b = append(b, k.Series.PriceType.String()...)
	b = append(b, ' ')
	b = append(b, k.Store...)

	return string(b)
}

// WallMicros is an instant of the machine's clock, in microseconds since 1970-01-01 UTC. It is a type of its own because
// domain.Micros belong to the business clock, and the two must not be compared.
type WallMicros int64

// Time returns the instant in UTC.
func (m WallMicros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Chunk is everything that a store said it has in the range of a ChunkKey, which may be nothing. ClosedBefore is an
// instant of the business clock, the other times are of the machine's.
type Chunk struct {
	Bars domain.Series // of the key's series, at most 4096

	// Clean says that a Validator who looks at the whole chunk finds nothing, whenever he looks. A part of it is clean
	// too.
	Validated bool

	// Claims is two fingerprints of what the store said it holds of the series when it was asked: before Settled, and
	// from there on. Where the store says something else now, that part is not to be believed: a bar missing in it may
	// be one that nobody had claimed.
	Claims [2]uint64

	ClosedBefore   domain.Micros // what opens before it was over for some time, by the business clock, when the store was asked
	ReadAt         WallMicros    // when the store was asked
	TailValidUntil WallMicros    // what opens at Settled or later is to be believed until then
	ValidUntil     WallMicros    // the rest is to be believed until then
}

// Bytes is the memory that the chunk takes, about.
func (c Chunk) Bytes() int64 {
	const word, columns = 8, 7
	size := int64(unsafe.Sizeof(c)+unsafe.Sizeof(domain.Columns{})) + columns*word*int64(c.Bars.Len())
	held := c.Bars.Columns()
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		column, _ := held.Field(f)
		size += word * int64(len(column.Hi))
	}

	return size
}

// CachedBars is a piece of an answer, and what is known of it beyond its bars.
type CachedBars struct {
	Bars      domain.Series
	Validated bool // no bar breaks a rule of quality, but perhaps one about now; and no run of identical bars within the piece is too long
	Cached    bool // no store was asked for it
}

// Len is the number of bars.
func (p CachedBars) Len() int { return p.Bars.Len() }

// CachedReader reads bars that a cache may have.
type CachedReader interface {
	// ReadCachedBars is BarReader.ReadBars that tells more of its pieces.
	ReadCachedBars(ctx context.Context, q BarQuery) iter.Seq2[CachedBars, error]

	// LocalExtents is CoverageReader.Extents of one symbol, and true, where this process's memory has it: it waits for
	// nothing.
	LocalExtents(symbol domain.Symbol) ([]domain.Extent, bool)

	// LocalBars appends to room the whole answer that ReadCachedBars has, and true, where this process's memory has it
	// and the store claims all of the range: it waits for nothing. With false there is nothing to be used.
	LocalBars(room []CachedBars, q BarQuery) ([]CachedBars, bool)

	// Prefetch has read what the queries need and the cache has not, in few round trips where the store can. It returns
	// when it is there; what cannot be read, or is too much, is left to whoever asks for it.
	Prefetch(ctx context.Context, queries []BarQuery)

	// CachedRanges tells which parts of the range of q need no read of the store, ascending and disjoint. It changes
	// nothing.
	CachedRanges(ctx context.Context, q BarQuery) []domain.Range

	// Stats is what the cache did so far.
	Stats() CacheStats
}

// Invalidation says that the bars of a series in a range are no longer what they were, and that what is held of its
// symbol may not be.
type Invalidation struct {
	Store domain.StoreName `json:"store"`
	Key   domain.SeriesKey `json:"key"`
	Range domain.Range     `json:"range"` // empty where no bar changed, and perhaps a claim

	// Unsure says that the write failed, and may still be done.
	OutcomeUnknown bool `json:"unsure,omitempty"`
}

// Invalidations carries invalidations between processes. Safe for concurrent use.
type Invalidations interface {
	// Publish tells all that subscribe, in every other process. What cannot be told is an error.
	Publish(ctx context.Context, changes ...Invalidation) error

	// Subscribe returns once it stands: the sequence then yields whatever others publish from then on, each once and in
	// the order of each publisher; what was published through this same value may be left out. It ends with an error as
	// the last pair: that of ctx, or because the connection was lost, and then some may have been missed. It is single
	// use; breaking off frees it.
	Subscribe(ctx context.Context) (iter.Seq2[Invalidation, error], error)
}
