package record

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

// Report is the list of the requests of a run with their results. A report survives a round trip through JSON without
// loss.
type Report struct {
	Entries []Entry `json:"entries"`
}

// Entry is one request and a summary of its result. If the request failed without a result, only Request and Error are
// meaningful.
type Entry struct {
	Request     Request            `json:"request"`
	Now         time.Time          `json:"now,omitzero"`         // the clock's time of the result, if it has one
	Range       domain.Range       `json:"range,omitzero"`       // the range of the result
	Clamped     bool               `json:"clamped,omitempty"`    // the request reached beyond Now
	Count       int                `json:"count"`                // number of bars, trades, quotes or series
	Dropped     int                `json:"dropped,omitempty"`    // number of bars dropped under domain.QualityDrop
	Uncovered   []domain.Range     `json:"uncovered,omitempty"`  // parts of Range that no store covers
	Provenance  []domain.Origin    `json:"provenance,omitempty"` // of a request for bars
	Store       domain.StoreName   `json:"store,omitempty"`      // of a request for trades or quotes
	Freshness   []ports.Freshness  `json:"freshness,omitempty"`  // of a request for the latest
	Fingerprint fingerprint.Digest `json:"fingerprint,omitzero"` // of Range and the data
	Error       string             `json:"error,omitempty"`      // text of the error, if any
}

// Request is a request of any kind. Exactly one field is set.
type Request struct {
	Bars   *domain.DataRequest `json:"bars,omitempty"`
	Trades *domain.TickRequest `json:"trades,omitempty"`
	Quotes *domain.TickRequest `json:"quotes,omitempty"`
	Latest *LatestRequest      `json:"latest,omitempty"`
}

// LatestRequest requests the freshness of the series of the symbols, or of all series if Symbols is empty.
type LatestRequest struct {
	Symbols []domain.Symbol `json:"symbols,omitempty"`
}

// String returns the request on one line: "bars BTC/USD 1m [first bar, now) last 20, quality fail".
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

// Change is the kind of a Difference between two runs.
type Change string

// The kinds of a Difference.
const (
	ChangeAdded   Change = "added"   // only this run made the request
	ChangeMissing Change = "missing" // only the earlier run made the request
	ChangeResult  Change = "changed" // both runs made the request, and the results differ
)

// Difference describes one request that two runs do not share or whose results differ.
type Difference struct {
	Change  Change    `json:"change"`
	Request Request   `json:"request"`
	Now     time.Time `json:"now,omitzero"`
	Fields  []Field   `json:"fields,omitempty"` // the differences of the results, if Change is Changed
}

// Field is a field of Entry that differs between two runs.
type Field struct {
	Name string `json:"name"` // the JSON name of the field in Entry
	Was  string `json:"was"`
	Is   string `json:"is"`
}

// String returns the difference on one line:
//
//	changed bars BTC/USD 1m [...) at 2024-03-04T12:00:00Z: count was 20, is 19
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

// Diff returns the differences from an earlier run; none if both made the same requests and got the same results. Two
// requests are the same if their texts and the clock's times are equal. Diff compares the first of several equal
// requests with the first of the earlier run, and so on, so the order in which a strategy's goroutines make requests
// does not matter. The differences are in the order of this run's entries; missing ones follow in the earlier order.
func (r Report) Diff(earlier Report) []Difference {
	unmatched := map[string][]Entry{} // entries of the earlier run by identity
	for _, e := range earlier.Entries {
		unmatched[e.identity()] = append(unmatched[e.identity()], e)
	}

	var differences []Difference
	for _, e := range r.Entries {
		id := e.identity()
		same := unmatched[id]
		if len(same) == 0 {
			differences = append(differences, Difference{Change: ChangeAdded, Request: e.Request, Now: e.Now})
			continue
		}

		unmatched[id] = same[1:]
		if fields := e.diffFields(same[0]); len(fields) > 0 {
			differences = append(differences, Difference{
				Change: ChangeResult, Request: e.Request, Now: e.Now, Fields: fields,
			})
		}
	}

	present := len(differences)
	for _, e := range slices.Backward(earlier.Entries) { // backward, because of equal requests the last are unmatched
		id := e.identity()
		if n := len(unmatched[id]); n > 0 {
			unmatched[id] = unmatched[id][:n-1]
			differences = append(differences, Difference{Change: ChangeMissing, Request: e.Request, Now: e.Now})
		}
	}

	slices.Reverse(differences[present:])

	return differences
}

// identity returns a text that is equal for the same request at the same time of the clock.
func (e Entry) identity() string {
	return e.Now.UTC().Format(time.RFC3339Nano) + " " + e.Request.String()
}

// diffFields returns the fields in which two results of one request differ.
func (e Entry) diffFields(earlier Entry) []Field {
	var fields []Field
	was, is := earlier.fields(), e.fields()
	for i := range is {
		if was[i].text != is[i].text {
			fields = append(fields, Field{Name: is[i].name, Was: was[i].text, Is: is[i].text})
		}
	}

	return fields
}

// namedText is a field of an Entry as text, under its JSON name.
type namedText struct{ name, text string }

// fields returns the result as texts; two results are equal if the texts are. The texts do not say whether bars came
// from a cache, because that varies between runs.
func (e Entry) fields() []namedText {
	return []namedText{
		{"range", e.Range.String()},
		{"clamped", strconv.FormatBool(e.Clamped)},
		{"count", strconv.Itoa(e.Count)},
		{"dropped", strconv.Itoa(e.Dropped)},
		{"uncovered", list(e.Uncovered, domain.Range.String)},
		{"provenance", list(e.Provenance, originText)},
		{"freshness", list(e.Freshness, freshnessText)},
		{"store", strconv.Quote(string(e.Store))},
		{"fingerprint", e.Fingerprint.String()},
		{"error", strconv.Quote(e.Error)},
	}
}

func originText(o domain.Origin) string {
	source := o.Grid.String()
	if o.Ticks != "" {
		source = string(o.Ticks)
	}

	return fmt.Sprintf("%d bars of %s from %s %s", o.Bars, source, o.Store, o.Range)
}

func freshnessText(f ports.Freshness) string {
	return fmt.Sprintf(
		"%s from %s until %s, inferred %t", f.Key, f.Store, f.CoveredUntil.UTC().Format(time.RFC3339Nano), f.Inferred)
}

func list[T any](values []T, text func(T) string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = text(v)
	}

	return "[" + strings.Join(texts, ", ") + "]"
}
