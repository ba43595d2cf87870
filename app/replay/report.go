package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/fingerprint"
	"github.com/gal-friday/marketdata/ports"
)

// Report is what a run asked for and was told. Its JSON form is read back without loss.
type Report struct {
	Entries []Entry `json:"entries"`
}

// Entry is one request and what its answer said of itself. Of an answer that is an error alone, all but Request and
// Error is zero or that of nothing.
type Entry struct {
	Request     Request            `json:"request"`
	Now         time.Time          `json:"now,omitzero"`         // the clock's time of the answer, where that tells it
	Range       domain.Range       `json:"range,omitzero"`       // that the answer speaks of
	Clamped     bool               `json:"clamped,omitempty"`    // times beyond Now were asked for
	Count       int                `json:"count"`                // of bars, trades, quotes or series
	Dropped     int                `json:"dropped,omitempty"`    // bars left out under domain.QualityDrop
	Uncovered   []domain.Range     `json:"uncovered,omitempty"`  // the shortfall: what of Range nobody holds
	Provenance  []domain.Origin    `json:"provenance,omitempty"` // of bars
	Store       domain.StoreName   `json:"store,omitempty"`      // of trades and quotes
	Freshness   []ports.Freshness  `json:"freshness,omitempty"`  // of series
	Fingerprint fingerprint.Digest `json:"fingerprint,omitzero"` // of Range and the data
	Error       string             `json:"error,omitempty"`
}

// Request is what was asked for: one of the four is set.
type Request struct {
	Bars   *domain.DataRequest `json:"bars,omitempty"`
	Trades *domain.TickRequest `json:"trades,omitempty"`
	Quotes *domain.TickRequest `json:"quotes,omitempty"`
	Latest *LatestRequest      `json:"latest,omitempty"`
}

// LatestRequest asks how fresh the series of the symbols are, or all where none is given.
type LatestRequest struct {
	Symbols []domain.Symbol `json:"symbols,omitempty"`
}

// String is the request on one line: "bars BTC/USD 1m [first bar, now) last 20, quality fail".
func (r Request) String() string {
	switch {
	case r.Bars != nil:
		return "bars " + r.Bars.String() + ", quality " + r.Bars.Quality.String()
	case r.Trades != nil:
		return "trades " + r.Trades.String()
	case r.Quotes != nil:
		return "quotes " + r.Quotes.String()
	case r.Latest != nil:
		return fmt.Sprintf("latest %v", r.Latest.Symbols)
	}
	return "nothing"
}

// Change says how a request of one run is in another.
type Change string

// The changes.
const (
	Added   Change = "added"   // asked in this run only
	Missing Change = "missing" // asked in the earlier run only
	Changed Change = "changed" // asked in both, and answered in another way
)

// Difference is what differs between two runs for one request.
type Difference struct {
	Change  Change    `json:"change"`
	Request Request   `json:"request"`
	Now     time.Time `json:"now,omitzero"`
	Fields  []Field   `json:"fields,omitempty"` // of a changed one
}

// Field is a part of an answer that changed.
type Field struct {
	Name string `json:"name"` // as in the JSON form of Entry
	Was  string `json:"was"`
	Is   string `json:"is"`
}

// String is one line: "changed bars BTC/USD 1m [...) at 2024-03-04T12:00:00Z: count was 20, is 19".
func (d Difference) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s", d.Change, d.Request)
	if !d.Now.IsZero() {
		s.WriteString(" at " + d.Now.Format(time.RFC3339Nano))
	}
	for i, f := range d.Fields {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&s, "%s%s was %s, is %s", separator, f.Name, f.Was, f.Is)
	}

	return s.String()
}

// Diff says what differs from an earlier run, nothing where both asked the same and were told the same. A request is
// the same in both where its text and the clock's time are; of equal ones the first is compared with the first, and so
// on, so that the order in which a strategy's goroutines ask does not matter. The order is that of this run's entries,
// then of those that are missing.
func (r Report) Diff(earlier Report) []Difference {
	before := map[string][]Entry{} // not compared yet
	for _, e := range earlier.Entries {
		before[e.identity()] = append(before[e.identity()], e)
	}
	var differences []Difference
	for _, e := range r.Entries {
		id := e.identity()
		same := before[id]
		if len(same) == 0 {
			differences = append(differences, Difference{Change: Added, Request: e.Request, Now: e.Now})
			continue
		}

		before[id] = same[1:]
		if fields := e.differs(same[0]); len(fields) > 0 {
			differences = append(differences, Difference{Change: Changed, Request: e.Request, Now: e.Now, Fields: fields})
		}
	}

	present := len(differences)
	for _, e := range slices.Backward(earlier.Entries) { // of equal requests the last are those that are left
		id := e.identity()
		if n := len(before[id]); n > 0 {
			before[id] = before[id][:n-1]
			differences = append(differences, Difference{Change: Missing, Request: e.Request, Now: e.Now})
		}
	}

	slices.Reverse(differences[present:])
	return differences
}

func (e Entry) identity() string {
	return e.Now.UTC().Format(time.RFC3339Nano) + " " + e.Request.String()
}

// differs lists the parts in which two answers to one request differ.
func (e Entry) differs(earlier Entry) []Field {
	var fields []Field
	was, is := earlier.parts(), e.parts()
	for i := range is {
		if was[i].text != is[i].text {
			fields = append(fields, Field{Name: is[i].name, Was: was[i].text, Is: is[i].text})
		}
	}

	return fields
}

type part struct{ name, text string }

// parts is the answer as texts that are equal where it is. What came from a cache is no part of it: that differs from
// run to run.
func (e Entry) parts() []part {
	provenance := func(l domain.Origin) string {
		what := "bars of " + l.Grid.String()
		if l.Ticks != "" {
			what = "bars of " + string(l.Ticks)
		}
		return fmt.Sprintf("%d %s from %s %s", l.Bars, what, l.Store, l.Range)
	}
	freshness := func(f ports.Freshness) string {
		return fmt.Sprintf("%s from %s until %s, assumed %t", f.Key, f.Store, f.CoveredUntil.UTC().Format(time.RFC3339Nano), f.Inferred)
	}

	return []part{
		{"range", e.Range.String()},
		{"clamped", strconv.FormatBool(e.Clamped)},
		{"count", strconv.Itoa(e.Count)},
		{"dropped", strconv.Itoa(e.Dropped)},
		{"uncovered", list(e.Uncovered, domain.Range.String)},
		{"provenance", list(e.Provenance, provenance)},
		{"freshness", list(e.Freshness, freshness)},
		{"store", strconv.Quote(string(e.Store))},
		{"fingerprint", e.Fingerprint.String()},
		{"error", strconv.Quote(e.Error)},
	}
}

func list[T any](values []T, text func(T) string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = text(v)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
