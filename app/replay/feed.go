package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
)

// feed reads one series in order, Config.ChunkBars bars at a time. It reads each such chunk to its end at once,
// because a hundred open reads would occupy a hundred connections. All chunks are of one state of the series, where
// the store keeps versions; else the read is ErrConflict. A feed is for one goroutine.
type feed struct {
	op        string
	store     ports.BarReader
	key       domain.SeriesKey
	cfg       Config
	validator *quality.Validator
	quality   domain.QualityReport

	reads   access.Continuity // holds all chunks to one state of the series
	isKnown bool              // the series is stored, as far as the store tells

	rest   domain.Range    // not read yet
	pieces []domain.Series // read, and after piece
	piece  domain.Series   // the current piece, without the bars already used
}

// newFeed returns a feed of the bars of key that open in r. op is the operation that its errors name.
func newFeed(op string, store ports.BarReader, key domain.SeriesKey, r domain.Range, cfg Config) *feed {
	return &feed{
		op: op, store: store, key: key, cfg: cfg, rest: r,
		reads: access.Continuity{Layout: domain.BarBlocks(key.Grid)},
		// The validator's now is after the last bar's end, because the feed validates ahead of the replay's clock.
		validator: quality.NewValidator(r, key.Grid.Next(r.End)),
		quality:   domain.QualityReport{Policy: cfg.Quality},
	}
}

// next makes the next piece with at least one bar the current one, and reports whether there is one.
func (f *feed) next(ctx context.Context) (bool, error) {
	f.piece = domain.EmptySeries(f.key)
	for len(f.pieces) == 0 {
		if f.rest.Empty() {
			return false, f.checkStored(ctx)
		}

		if err := f.readChunk(ctx); err != nil {
			return false, err
		}
	}

	f.piece, f.pieces = f.pieces[0], f.pieces[1:]

	return true, nil
}

// seek moves to the first bar that opens at t or later, and reports whether there is one. It does not read the chunks
// between the bars already read and t.
func (f *feed) seek(ctx context.Context, t time.Time) (bool, error) {
	for {
		end := f.piece.Range().End
		if f.piece = f.piece.Clip(domain.Range{Start: t, End: end}); f.piece.Len() > 0 {
			return true, nil
		}

		if len(f.pieces) == 0 && f.rest.Start.Before(t) {
			f.rest.Start = t
		}

		if more, err := f.next(ctx); err != nil || !more {
			return false, err
		}
	}
}

// readChunk reads the next chunk into pieces. After an error the caller may retry, because the
// feed still stands before the chunk.
func (f *feed) readChunk(ctx context.Context) error {
	var pieces []domain.Series
	var state *domain.SeriesState // nil where the store keeps no versions
	rest, bars := f.rest, 0
	q := ports.BarQuery{Key: f.key, Range: rest, First: f.cfg.ChunkBars, State: f.reads.Query()}
	for read, err := range f.store.ReadBars(ctx, q) {
		if err != nil {
			return fmt.Errorf("%s %s: %w", f.op, f.key, err)
		}
		if read.State != nil {
			state = read.State
		}

		piece := read.Rows
		n := piece.Len()
		if n == 0 {
			continue
		}

		if piece.Key() != f.key || !rest.Contains(piece.OpenTime(0)) || !rest.Contains(piece.OpenTime(n-1)) {
			return f.newError(ports.ErrInternal, fmt.Errorf(
				"store violated its contract: a read of %s %s returned %s", f.key, rest, piece))
		}

		f.isKnown = true
		bars += n
		rest.Start = piece.Range().End
		if piece, err = f.validate(piece); err != nil {
			return err
		}

		if piece.Len() > 0 {
			pieces = append(pieces, piece)
		}
	}

	if bars < f.cfg.ChunkBars {
		rest = domain.Range{Start: rest.End, End: rest.End}
	}
	if err := f.checkState(state, domain.Range{Start: f.rest.Start, End: rest.Start}, !rest.Empty()); err != nil {
		return err
	}
	f.rest, f.pieces = rest, pieces

	return nil
}

// checkStored makes sure that a series without a bar in the range is stored at all, because a replay of nothing would
// look like a market in which nothing traded. Its error names what is stored of the symbol. A store that cannot list
// its coverage is not asked.
func (f *feed) checkStored(ctx context.Context) error {
	lister, ok := f.store.(ports.CoverageReader)
	if f.isKnown || !ok {
		return nil
	}

	var stored []string
	for e, err := range lister.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{f.key.Symbol}}) {
		if err != nil {
			return fmt.Errorf("%s %s: %w", f.op, f.key, err)
		}
		if f.isKnown = f.isKnown || e.Key == f.key; f.isKnown {
			return nil
		}
		if text := e.Key.String(); !slices.Contains(stored, text) {
			stored = append(stored, text)
		}
	}
	if len(stored) == 0 {
		return f.newError(ports.ErrNotFound, errors.New("no bars of the symbol are stored; import them first"))
	}

	return f.newError(ports.ErrNotFound, fmt.Errorf("no such bars are stored, only %s; replay those, or store the bars "+
		"that Fetch resamples from them first", strings.Join(stored, ", ")))
}

// checkState makes sure that a read of r saw the state of the series that the chunks before are of. endsAtRow says
// that r ends with a bar that was read.
func (f *feed) checkState(state *domain.SeriesState, r domain.Range, endsAtRow bool) error {
	if state == nil {
		return nil
	}
	if _, err := f.reads.Add(state, r, endsAtRow); err != nil {
		return f.newError(ports.ErrConflict, err)
	}

	return nil
}

// validate adds the findings of the piece to the quality report and applies the quality policy: it returns the piece,
// the piece without its fatal bars, or an ErrCorruptData.
func (f *feed) validate(piece domain.Series) (domain.Series, error) {
	verdict := f.validator.Check(piece)
	q := &f.quality
	q.Bars += verdict.Bars
	if len(verdict.Findings) > 0 {
		q.Findings = quality.Merge(q.Findings, verdict.Findings)
	}

	switch f.cfg.Quality {
	case domain.QualityFail:
		if err := verdict.Err(f.key); err != nil {
			return domain.Series{}, f.newError(ports.ErrCorruptData, fmt.Errorf(
				"%w; replay with quality drop or flag, or rewrite the bars", err))
		}

	case domain.QualityDrop:
		for _, i := range verdict.Fatal {
			q.Dropped = append(q.Dropped, piece.OpenTime(i))
		}
		piece = piece.Drop(verdict.Fatal)
	}

	return piece, nil
}

// newError returns the error of the feed's operation on its series.
func (f *feed) newError(kind, cause error) error {
	return &ports.Error{Kind: kind, Op: f.op, Subject: f.key.String(), Err: cause}
}
