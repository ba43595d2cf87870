package differential

import (
	"context"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// version is one series after a write, slot by slot.
type version struct {
	by    int          // the process that wrote; -1 before the first write
	span  domain.Range // the range that was written
	slots map[int64]slot
}

// slot is the knowledge of one bar: the bar, or that nothing traded, or that it is not covered.
type slot struct {
	bar     domain.Bar
	traded  bool
	covered bool
}

func (s slot) equal(o slot) bool {
	return s.covered == o.covered && s.traded == o.traded && (!s.traded || s.bar.Equal(o.bar))
}

func (s slot) String() string {
	switch {
	case s.traded:
		return fmt.Sprintf("%s, covered: %t", s.bar, s.covered)
	case s.covered:
		return "nothing traded"
	}

	return "not covered"
}

// slotsOf returns the slots of a range, by their open times in microseconds since 1970.
func slotsOf(bars domain.Series, r domain.Range, covered func(time.Time) bool) map[int64]slot {
	g := bars.Key().Grid
	all := map[int64]slot{}
	for at := g.Ceil(r.Start); at.Before(r.End); at = g.Next(at) {
		all[at.UnixMicro()] = slot{covered: covered(at)}
	}
	for _, b := range bars.All() {
		at := b.OpenTime.UnixMicro()
		all[at] = slot{bar: b, traded: true, covered: all[at].covered}
	}

	return all
}

func within(ranges []domain.Range) func(time.Time) bool {
	return func(at time.Time) bool {
		for _, r := range ranges {
			if r.Contains(at) {
				return true
			}
		}

		return false
	}
}

// all returns the range of all slots of the grid.
func (a *act) all(g domain.Grid) domain.Range {
	edges := a.edges(g)
	return domain.Range{Start: edges[0], End: edges[len(edges)-1]}
}

// remember adds the version of the series after a write.
func (a *act) remember(ctx context.Context, by int, key domain.SeriesKey, span domain.Range) error {
	versions := a.history[key]
	if len(versions) == 0 {
		versions = []version{{by: -1, slots: slotsOf(domain.EmptySeries(key), a.all(key.Grid), within(nil))}}
	}
	bars, err := readAll(ctx, a.store, key, a.all(key.Grid))
	if err != nil {
		return err
	}

	extents, err := ports.Collect(a.store.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{key.Symbol}}))
	if err != nil {
		return err
	}

	var covered []domain.Range
	for _, e := range extents {
		if e.Key == key {
			covered = append(covered, e.Range)
		}
	}

	a.history[key] = append(versions, version{by, span, slotsOf(bars, a.all(key.Grid), within(covered))})

	return nil
}

// fetchEarly fetches from a process that may not have received the hints of the last writes of the other
// process. Each slot of the result is as in some version since the last barrier, or since the last write of the process
// itself.
func (a *act) fetchEarly(t *rapid.T) error {
	by := rapid.IntRange(0, 1).Draw(t, "process")
	role, key := a.drawStored(t)
	versions := a.history[key]
	if len(versions) == 0 || key.Grid != mustGrid(role.stored[0]) { // coarser bars may be resampled from finer ones
		return nil
	}

	span := a.drawRange(t, key.Grid)
	r := domain.DataRequest{Key: key, Start: span.Start, End: span.End, Quality: domain.QualityFlag}
	result, err := a.processes[by].Fetch(t.Context(), r)
	if err != nil {
		return err
	}

	uncovered := within(result.Uncovered)
	for micros, got := range slotsOf(result.Series, result.Range, func(at time.Time) bool { return !uncovered(at) }) {
		at := time.UnixMicro(micros).UTC()
		if key.Grid.Next(at).After(result.Now) {
			continue
		}

		var possible []slot
		known := false
		for i := len(versions) - 1; i >= 0; i-- {
			possible = append(possible, versions[i].slots[micros])
			known = known || versions[i].slots[micros].equal(got)
			if versions[i].by == by && versions[i].span.Contains(at) {
				break
			}
		}
		if !known {
			return fmt.Errorf("process %d, before it received all hints, %s: %s is %s; want one of %v",
				by, r, at, got, possible)
		}
	}

	return nil
}

func readAll(ctx context.Context, from ports.BarReader, key domain.SeriesKey, r domain.Range) (domain.Series, error) {
	b := domain.NewSeriesBuilder(key, 0)
	for piece, err := range from.ReadBars(ctx, ports.BarQuery{Key: key, Range: r}).Rows() {
		if err == nil {
			err = b.AppendSeries(piece)
		}
		if err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}
