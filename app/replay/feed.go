package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// feed reads one series in order, a chunk at a time. Each chunk is read to its end at once, so that a hundred feeds do
// not hold a hundred connections.
type feed struct {
	op      string
	store   ports.BarReader
	key     domain.SeriesKey
	cfg     Config
	judge   *domain.Validator
	quality domain.QualityReport

	rest   domain.Range    // what is not read yet
	pieces []domain.Series // what is read and not begun
	piece  domain.Series   // what is begun and not used
}

func newFeed(op string, store ports.BarReader, key domain.SeriesKey, r domain.Range, cfg Config) *feed {
	return &feed{
		op: op, store: store, key: key, cfg: cfg, rest: r,
		judge:   domain.NewValidator(r, key.Grid.Next(r.End)), // by when all are over: each is looked at once it is
		quality: domain.QualityReport{Policy: cfg.Quality},
	}
}

// next makes the next piece that holds a bar the current one, and reports whether there is one.
func (f *feed) next(ctx context.Context) (bool, error) {
	f.piece = domain.EmptySeries(f.key)
	for len(f.pieces) == 0 {
		if f.rest.Empty() {
			return false, nil
		}
		if err := f.read(ctx); err != nil {
			return false, err
		}
	}

	f.piece, f.pieces = f.pieces[0], f.pieces[1:]
	return true, nil
}

// seek goes to the first bar that opens at t or later, and reports whether there is one. What lies between is not read.
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

// read reads the next chunk. After an error nothing is read.
func (f *feed) read(ctx context.Context) error {
	var pieces []domain.Series
	rest, bars := f.rest, 0
	for piece, err := range f.store.ReadBars(ctx, ports.BarQuery{Key: f.key, Range: rest, First: f.cfg.ChunkBars}).Rows() {
		if err != nil {
			return fmt.Errorf("%s %s: %w", f.op, f.key, err)
		}

		n := piece.Len()
		if n == 0 {
			continue
		}
		if piece.Key() != f.key || !rest.Contains(piece.OpenTime(0)) || !rest.Contains(piece.OpenTime(n-1)) {
			return f.fault(ports.ErrInternal, fmt.Errorf("the store broke its contract: asked for %s %s, it answered %s", f.key, rest, piece))
		}

		bars += n
		rest.Start = piece.Range().End
		if piece, err = f.judged(piece); err != nil {
			return err
		}

		if piece.Len() > 0 {
			pieces = append(pieces, piece)
		}
	}

	if bars < f.cfg.ChunkBars {
		rest = domain.Range{}
	}
	f.rest, f.pieces = rest, pieces
	return nil
}

// judged applies the quality policy to the next piece.
func (f *feed) judged(piece domain.Series) (domain.Series, error) {
	verdict := f.judge.Check(piece)
	q := &f.quality
	q.Bars += verdict.Bars
	if len(verdict.Findings) > 0 {
		q.Findings = domain.MergeFindings(q.Findings, verdict.Findings)
	}
	switch f.cfg.Quality {
	case domain.QualityFail:
		if err := verdict.Err(f.key); err != nil {
			return domain.Series{}, f.fault(ports.ErrCorruptData, fmt.Errorf(
				"%w; play with quality drop or flag, or write the bars anew", err))
		}
	case domain.QualityDrop:
		for _, i := range verdict.Fatal {
			q.Dropped = append(q.Dropped, piece.OpenTime(i))
		}
		piece = piece.Drop(verdict.Fatal)
	}

	return piece, nil
}

func (f *feed) fault(kind, cause error) error {
	return &ports.Error{Kind: kind, Op: f.op, Subject: f.key.String(), Err: cause}
}
