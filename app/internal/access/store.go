package access

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Store is one configured store with counters of its use. A capability that the store does not have is nil. Safe for
// concurrent use.
type Store struct {
	Name       domain.StoreName
	Bars       ports.Store
	Route      domain.FrequencyRange // bars of these frequencies are read from and written to Bars
	Ticks      ports.TickStore
	Catalog    ports.SymbolCatalog
	Health     ports.HealthChecker
	Pool       func() ports.PoolStats
	Cache      blockcache.Reader
	Aggregate  ports.TradeAggregator
	Explain    ports.ReadExplainer
	Unfinished ports.UnfinishedReporter
	Optional   bool // requests are served without it
	Closed     bool // it could not be opened, so that it is down whatever the error of its check
	Local      bool // no call waits for anything but memory, so calls run on the caller's goroutine

	// Coverage and symbols in memory, of Cache or of a store that is Local. They are asked first.
	LocalCoverage ports.LocalCoverage
	LocalCatalog  ports.LocalCatalog

	Rows atomic.Int64 // bars, trades and quotes read and written

	requests, errors, busyNanos atomic.Int64
}

// Usage counts the calls of a store since the start.
type Usage struct {
	Requests int64         // calls
	Errors   int64         // calls that failed by the store's fault
	Rows     int64         // bars, trades and quotes read and written
	Mean     time.Duration // mean time of a call; 0 without one
}

// Usage returns the counters of the store.
func (s *Store) Usage() Usage {
	u := Usage{Requests: s.requests.Load(), Errors: s.errors.Load(), Rows: s.Rows.Load()}
	if u.Requests > 0 {
		u.Mean = time.Duration(s.busyNanos.Load() / u.Requests)
	}

	return u
}

// RowsPerSecond returns the measured rate of the store, call overhead included. It is 0 before the store returned a
// row.
func (s *Store) RowsPerSecond() float64 {
	rows, busy := s.Rows.Load(), s.busyNanos.Load()
	if rows == 0 || busy == 0 {
		return 0
	}

	return float64(rows) / time.Duration(busy).Seconds()
}

// Serves reports whether bars of the grid are routed to the store. It is the routing rule: every read, write and
// listing follows it.
func (s *Store) Serves(g domain.Grid) bool {
	return s.Bars != nil && s.Route.Contains(g.Frequency())
}

// RoutedExtents returns the extents whose bars are routed to the store. A store may also hold coverage of another
// store's bars.
func (s *Store) RoutedExtents(extents []domain.Extent) []domain.Extent {
	foreign := func(e domain.Extent) bool { return !s.Serves(e.Key.Grid) }
	if !slices.ContainsFunc(extents, foreign) {
		return extents
	}

	return slices.DeleteFunc(slices.Clone(extents), foreign)
}

// count records a call. An error that the caller caused does not count against the store.
func (s *Store) count(elapsed time.Duration, err error) {
	s.requests.Add(1)
	s.busyNanos.Add(int64(elapsed))
	if err != nil && !errors.Is(err, ports.ErrInvalid) && !errors.Is(err, ports.ErrTooLarge) &&
		!errors.Is(err, ports.ErrCanceled) {
		s.errors.Add(1)
	}
}

// Stores lists every configured store, the preferred one first.
type Stores []*Store

// ForGrid returns the preferred store for bars of the grid. It is nil where no store serves them.
func (ss Stores) ForGrid(g domain.Grid) *Store {
	for _, s := range ss {
		if s.Serves(g) {
			return s
		}
	}

	return nil
}

// CheckGrid returns an error that wraps ErrInvalid where bars of the grid can neither be stored nor resampled from
// finer bars or ticks.
func (ss Stores) CheckGrid(g domain.Grid) error {
	nominal := g.Frequency().Nominal()
	if ss.ForTicks() != nil || slices.ContainsFunc(ss, func(s *Store) bool {
		return s.Bars != nil && s.Route.From.Nominal() <= nominal
	}) {
		return nil
	}

	return fmt.Errorf("no store takes bars of %s, nor finer ones; configure one that does: %w", g, ports.ErrInvalid)
}

// ForTicks returns the store of trades and quotes. It is nil where none is configured.
func (ss Stores) ForTicks() *Store {
	for _, s := range ss {
		if s.Ticks != nil {
			return s
		}
	}

	return nil
}

// ByName returns the store of that name, which must be one of them.
func (ss Stores) ByName(name domain.StoreName) *Store {
	return ss[slices.IndexFunc(ss, func(s *Store) bool { return s.Name == name })]
}

// Local reports whether no store waits for anything but memory.
func (ss Stores) Local() bool {
	return !slices.ContainsFunc(ss, func(s *Store) bool { return !s.Local })
}

// ErrNoGrid returns the error of a request that no store serves.
func ErrNoGrid(g domain.Grid) error {
	return fmt.Errorf("no store takes bars of %s; configure one that does: %w", g, ports.ErrInvalid)
}

// ErrNoTicks returns the error of a request for trades or quotes where no store holds any.
func ErrNoTicks() error {
	return fmt.Errorf("no store of trades and quotes is configured: %w", ports.ErrInvalid)
}

// The operations that several services call.
var (
	// ReadExtents returns the coverage that the store has of the symbols.
	ReadExtents = Operation[[]domain.Symbol, []domain.Extent]{
		Name: "read extents", Run: readExtents, Rows: RowsOf[domain.Extent],
	}

	// ReadTickExtents returns the coverage that the store has of the symbols' trades and quotes.
	ReadTickExtents = Operation[[]domain.Symbol, []domain.TickExtent]{
		Name: "read tick extents", Run: readTickExtents, Rows: RowsOf[domain.TickExtent],
	}

	// ReadSymbols returns the selected symbols of the store.
	ReadSymbols = Operation[ports.SymbolQuery, []domain.SymbolMeta]{
		Name: "read symbols", Run: readSymbols, Rows: RowsOf[domain.SymbolMeta],
	}

	// WriteSymbols calls the writer of the store's catalog, which must be a ports.SymbolWriter.
	WriteSymbols = Operation[[]domain.SymbolMeta, struct{}]{Name: "write symbols", Run: writeSymbols}

	// ReadExtentPage returns the coverage of the first symbols of a query, of all of them if there is no more.
	ReadExtentPage = Operation[ports.ExtentQuery, Page[domain.Extent]]{
		Name: "read extents", Run: readExtentPage, Rows: Page[domain.Extent].len,
	}

	// ReadTickExtentPage is ReadExtentPage for trades and quotes.
	ReadTickExtentPage = Operation[ports.ExtentQuery, Page[domain.TickExtent]]{
		Name: "read tick extents", Run: readTickExtentPage, Rows: Page[domain.TickExtent].len,
	}
)

// RowsOf returns the number of rows of a result, for Operation.
func RowsOf[T any](rows []T) int { return len(rows) }

func readExtents(ctx context.Context, s *Store, symbols []domain.Symbol) ([]domain.Extent, error) {
	return ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: symbols}))
}

func readTickExtents(ctx context.Context, s *Store, symbols []domain.Symbol) ([]domain.TickExtent, error) {
	return ports.Collect(s.Ticks.TickExtents(ctx, ports.ExtentQuery{Symbols: symbols}))
}

func readSymbols(ctx context.Context, s *Store, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	return ports.Collect(s.Catalog.Symbols(ctx, q))
}

func writeSymbols(ctx context.Context, s *Store, metas []domain.SymbolMeta) (struct{}, error) {
	return struct{}{}, s.Catalog.(ports.SymbolWriter).PutSymbols(ctx, metas...)
}

func readExtentPage(ctx context.Context, s *Store, q ports.ExtentQuery) (Page[domain.Extent], error) {
	symbolOf := func(e domain.Extent) domain.Symbol { return e.Key.Symbol }
	return readPage(s.Bars.Extents(ctx, q), symbolOf, ports.ListsOnePage(s.Bars))
}

func readTickExtentPage(ctx context.Context, s *Store, q ports.ExtentQuery) (Page[domain.TickExtent], error) {
	symbolOf := func(e domain.TickExtent) domain.Symbol { return e.Symbol }
	return readPage(s.Ticks.TickExtents(ctx, q), symbolOf, ports.ListsOnePage(s.Ticks))
}

// Page is the values of the first symbols of a listing.
type Page[T any] struct {
	Values []T
	Last   domain.Symbol // the last of the symbols; "" where no more follow
}

func (p Page[T]) len() int { return len(p.Values) }

// PageSize is about how many values of a listing are read at a time, unless the store has one page.
const PageSize = 10_000

// readPage reads PageSize values, and the others of the last symbol, or all of the one page of a store.
func readPage[T any](
	values iter.Seq2[T, error], symbolOf func(T) domain.Symbol, isOnePage bool,
) (page Page[T], err error) {
	for v, err := range values {
		if err != nil {
			return Page[T]{}, err
		}

		if n := len(page.Values); n >= PageSize && !isOnePage && symbolOf(page.Values[n-1]) != symbolOf(v) {
			page.Last = symbolOf(page.Values[n-1])
			break
		}
		page.Values = append(page.Values, v)
	}

	return page, nil
}
