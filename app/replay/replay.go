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

// Clock is the clock that a replay drives. clock.Simulated is one.
type Clock interface {
	// Set moves the clock to t, and refuses to move it back.
	Set(t time.Time) error
}

// Config says how a Replay or a Lookahead reads. The zero value is the defaults.
type Config struct {
	// Quality says what happens to a bar that breaks a fatal rule. Defaults to fail.
	Quality domain.QualityPolicy

	// ChunkBars is how many bars of a series are read at once. So many of each are held in memory, at 64 bytes a bar
	// where the store has to copy them. Defaults to 4096.
	ChunkBars int
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if err := c.Quality.Validate(); err != nil {
		faults = append(faults, err)
	}
	if c.ChunkBars < 0 {
		faults = append(faults, fmt.Errorf("chunk bars %d: give 1 or more, or 0 for the default: %w", c.ChunkBars, domain.ErrInvalid))
	}

	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.ChunkBars == 0 {
		c.ChunkBars = 4096
	}
	return c
}

// Event is a bar that became known.
type Event struct {
	Key domain.SeriesKey
	Bar domain.Bar
	At  time.Time // when: the bar's end
}

// Step is all that became known at one instant.
type Step struct {
	At time.Time

	// ClosedBar is the bars that ended, in the order of events. It and the bars are used again for the next step: copy
	// what has to stay.
	Bars []ClosedBar
}

// ClosedBar is a bar that became known, and what it is of.
type ClosedBar struct {
	Key domain.SeriesKey
	Bar *domain.Bar
}

// Replay plays the bars of several series back in the order in which they became known: by their ends, at one instant
// those of the finer grid first, then by symbol. It plays once, by Events or by Steps, in one goroutine. Nothing is
// held open between two bars.
type Replay struct {
	clock  Clock
	tracks []track // in the order of events at one instant
	begun  bool
}

// New returns a replay of the bars of the keys that open in r. It reads them from the store a chunk at a time, as the
// replay advances. It refuses keys that are not valid or given twice, a range that is none, and a Config that
// contradicts itself.
func New(store ports.BarReader, clock Clock, keys []domain.SeriesKey, r domain.Range, cfg Config) (*Replay, error) {
	faults := []error{cfg.Validate(), checkRange(r)}
	if len(keys) == 0 {
		faults = append(faults, fmt.Errorf("no series; give at least one key: %w", domain.ErrInvalid))
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, inOrder)
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

// checkRange refuses a range that no store takes.
func checkRange(r domain.Range) error {
	_, err := domain.NewRange(r.Start, r.End)
	return err
}

// inOrder compares by the length of bars, then symbol, then the rest of the key.
func inOrder(a, b domain.SeriesKey) int {
	return cmp.Or(cmp.Compare(a.Grid.Frequency().Nominal(), b.Grid.Frequency().Nominal()), a.Compare(b))
}

// Events yields the bars one by one. The clock stands at Event.At while the loop's body runs, so bars of the same
// instant whose events are yet to come are visible already: they were known.
//
// An error of the store, of the clock (one that stands later than the first bar's end, say), of a bar under
// domain.QualityFail, or of ctx is the last pair. A second use yields an error.
func (p *Replay) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var e Event // filled in place: it is large, and a copy of what was just written in smaller parts waits for them
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

// Steps yields the same instant by instant: for strategies that decide once for all their series, and the faster way.
func (p *Replay) Steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		if p.begun {
			yield(Step{}, &ports.Error{Kind: ports.ErrInvalid, Op: "replay", Err: fmt.Errorf(
				"it was played already; make a new one: %w", domain.ErrInvalid)})
			return
		}

		p.begun = true
		if err := p.play(ctx, func(s Step) bool { return yield(s, nil) }); err != nil {
			yield(Step{}, err)
		}
	}
}

// play yields every step. After false from yield it returns nil.
func (p *Replay) play(ctx context.Context, yield func(Step) bool) error {
	instants := make([]domain.Micros, len(p.tracks))
	for i := range p.tracks {
		var err error
		if instants[i], err = p.tracks[i].turn(ctx); err != nil {
			return err
		}
	}

	agenda := newAgenda(instants)
	closed := make([]ClosedBar, 0, len(p.tracks))
	var fault error
	take := func(series int) domain.Micros {
		t := &p.tracks[series]
		closed = closed[:len(closed)+1] // there is room for all series; an append would copy what it was just made of
		c := &closed[len(closed)-1]
		c.Key, c.Bar = t.key, t.bar()
		next, err := t.advance(ctx)
		if err != nil {
			fault = err // what became known at this instant is whole without it
		}

		return next
	}
	for now := agenda.first(); fault == nil && now != never; {
		if err := ctx.Err(); err != nil {
			return &ports.Error{Kind: ports.ContextKind(err), Op: "replay", Err: err}
		}

		closed = closed[:0]
		next := agenda.turn(now, take)
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

// Quality says what the quality rules found in the bars that were read so far, which is up to a chunk of each series
// more than was played. It is for the goroutine that plays.
func (p *Replay) Quality() map[domain.SeriesKey]domain.QualityReport {
	reports := make(map[domain.SeriesKey]domain.QualityReport, len(p.tracks))
	for _, t := range p.tracks {
		reports[t.feed.key] = t.feed.quality
	}
	return reports
}
