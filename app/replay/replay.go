package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Clock is the clock that a replay drives. clock.Simulated implements it.
type Clock interface {
	// Set moves the clock to t. It returns an error if t is before the clock's time.
	Set(t time.Time) error
}

// Config configures the reads of a Replay or a Lookahead. A zero field means its default.
type Config struct {
	// Quality is the policy for bars that violate a fatal quality rule. Defaults to fail.
	Quality domain.QualityPolicy

	// ChunkBars is the number of bars of a series that one read returns at most. Each series keeps as many bars in
	// memory, at 64 bytes a bar if the store copies them. Defaults to 4096.
	ChunkBars int
}

// Validate returns every fault of c, joined; each wraps domain.ErrInvalid.
func (c Config) Validate() error {
	var faults []error
	if err := c.Quality.Validate(); err != nil {
		faults = append(faults, err)
	}

	if c.ChunkBars < 0 {
		faults = append(faults, fmt.Errorf(
			"chunk bars %d: give 1 or more, or 0 for the default: %w", c.ChunkBars, domain.ErrInvalid))
	}

	return errors.Join(faults...)
}

// withDefaults returns c with the default in place of each zero field.
func (c Config) withDefaults() Config {
	if c.ChunkBars == 0 {
		c.ChunkBars = 4096
	}

	return c
}

// Event is one bar that closed.
type Event struct {
	Key domain.SeriesKey
	Bar domain.Bar
	At  time.Time // the end of the bar, which is when it became known
}

// Step is the set of all bars that closed at one instant.
type Step struct {
	At time.Time

	// Bars are the bars that closed at At, in the order of Events. The next step overwrites the slice and the bars, so a
	// caller must copy those that it keeps.
	Bars []ClosedBar
}

// ClosedBar is a bar that closed, with the key of its series.
type ClosedBar struct {
	Key domain.SeriesKey
	Bar *domain.Bar
}

// Replay plays the bars of several series back in the order in which they closed. At one instant the bars of the finer
// grid come first, then the order is by symbol. A Replay plays once, through Events or Steps, and is not safe for
// concurrent use. No read of the store is open while a bar is yielded.
type Replay struct {
	clock  Clock
	tracks []track // in the order of events at one instant
	played bool
}

// New returns a replay of the bars of the keys that open in r. The replay reads the store in chunks as it advances.
// The bars of each series are of one state of it: where bars that were read, or their coverage, change meanwhile, the
// replay ends with ErrConflict. Where the store keeps no versions, such a change goes unseen. New returns ErrInvalid
// for no key, an invalid or repeated key, a reversed range and an invalid Config.
func New(store ports.BarReader, clock Clock, keys []domain.SeriesKey, r domain.Range, cfg Config) (*Replay, error) {
	faults := []error{cfg.Validate(), checkRange(r)}
	if len(keys) == 0 {
		faults = append(faults, fmt.Errorf("no series; give at least one key: %w", domain.ErrInvalid))
	}

	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	for i, key := range keys {
		faults = append(faults, key.Validate())
		if i > 0 && key == keys[i-1] {
			faults = append(faults, fmt.Errorf("series %s: given twice: %w", key, domain.ErrInvalid))
		}
	}

	if err := errors.Join(faults...); err != nil {
		return nil, &ports.Error{Kind: ports.ErrInvalid, Op: "replay", Err: err}
	}

	cfg = cfg.withDefaults()
	p := &Replay{clock: clock}
	for _, key := range keys {
		p.tracks = append(p.tracks, newTrack(newFeed("replay", store, key, r, cfg)))
	}

	return p, nil
}

// checkRange returns an error that wraps domain.ErrInvalid if r is not valid, as domain.NewRange does.
func checkRange(r domain.Range) error {
	_, err := domain.NewRange(r.Start, r.End)
	return err
}

// compareKeys orders keys by the length of their bars, then by symbol, then by the rest of the key.
func compareKeys(a, b domain.SeriesKey) int {
	return cmp.Or(cmp.Compare(a.Grid.Frequency().Nominal(), b.Grid.Frequency().Nominal()), a.Compare(b))
}

// Events yields the bars one by one. The clock is at Event.At while the loop's body runs. Requests over that clock
// therefore return all bars of that instant, also those whose events follow, because they were known by then.
//
// An error is the last pair. It is an error of the store, of the clock (such as a clock past the end of the first
// bar), of ctx, of a series that is not stored (ErrNotFound, which names what is stored of the symbol; a series that
// is stored outside of the range only has no bars), or of a fatal bar under domain.QualityFail. A second iteration
// yields ErrInvalid.
func (p *Replay) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var e Event // filled in place, because a copy of a large struct right after its parts were written stalls
		for step, err := range p.Steps(ctx) {
			if err != nil {
				yield(Event{}, err)
				return
			}

			e.At = step.At
			for i := range step.Bars {
				c := &step.Bars[i]
				e.Key = c.Key
				e.Bar = *c.Bar
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Steps yields the same bars and errors as Events, one step an instant. It is for strategies that decide once for all
// their series, and it is faster than Events.
func (p *Replay) Steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		if p.played {
			yield(Step{}, &ports.Error{Kind: ports.ErrInvalid, Op: "replay", Err: fmt.Errorf(
				"already played; create another Replay: %w", domain.ErrInvalid)})
			return
		}

		p.played = true
		if err := p.play(ctx, func(s Step) bool { return yield(s, nil) }); err != nil {
			yield(Step{}, err)
		}
	}
}

// play yields every step. It returns nil after the last step and after yield returned false.
func (p *Replay) play(ctx context.Context, yield func(Step) bool) error {
	instants := make([]domain.Micros, len(p.tracks))
	for i := range p.tracks {
		var err error
		if instants[i], err = p.tracks[i].nextBlock(ctx); err != nil {
			return err
		}
	}

	queue := newMergeQueue(instants)
	closed := make([]ClosedBar, 0, len(p.tracks))
	var fault error
	advance := func(series int) domain.Micros {
		t := &p.tracks[series]
		closed = closed[:len(closed)+1] // fits all series; filled in place, because append would copy a fresh value
		c := &closed[len(closed)-1]
		c.Key, c.Bar = t.key, t.bar()
		next, err := t.advance(ctx)
		if err != nil {
			fault = err // returned after this step, because the bars of this instant are complete without the next one
		}

		return next
	}

	for now := queue.first(); fault == nil && now != never; {
		if err := ctx.Err(); err != nil {
			return &ports.Error{Kind: ports.ContextKind(err), Op: "replay", Err: err}
		}

		closed = closed[:0]
		next := queue.next(now, advance)
		at := now.Time()
		if err := p.clock.Set(at); err != nil {
			return &ports.Error{Kind: ports.ErrInvalid, Op: "replay", Err: err}
		}

		if !yield(Step{At: at, Bars: closed}) {
			return nil
		}

		now = next
	}

	return fault
}

// Quality returns the quality report of each series over the bars read so far. Reads are up to one chunk of each
// series ahead of the bars yielded. It must not be called concurrently with the iteration.
func (p *Replay) Quality() map[domain.SeriesKey]domain.QualityReport {
	reports := make(map[domain.SeriesKey]domain.QualityReport, len(p.tracks))
	for _, t := range p.tracks {
		reports[t.feed.key] = t.feed.quality
	}

	return reports
}
