package ports

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Explainer returns query plans.
type Explainer interface {
	// Explain returns the plan by which HistoricalDataProvider.Fetch would answer the request, and must not read a bar.
	// A limit that refuses the request, or may refuse its result, is in QueryPlan.Refusals and no error. Its errors are
	// those of Fetch that are known before a bar is read. Safe for concurrent use.
	Explain(ctx context.Context, r domain.DataRequest) (QueryPlan, error)
}

// QueryPlan lists the sources of the bars of a request. Legs and Uncovered both ascend and are disjoint; Uncovered and
// what the legs cover are together exactly Range.
type QueryPlan struct {
	Key       domain.SeriesKey `json:"key"`
	Range     domain.Range     `json:"range"` // the requested range, both ends moved up to edges of the grid
	Legs      []PlanLeg        `json:"legs"`
	Uncovered []domain.Range   `json:"uncovered"` // on open times: no store covers these in any way
	Bars      int64            `json:"bars"`      // upper bound of the bars returned
	Total     Estimate         `json:"total"`
	Refusals  []PlanRefusal    `json:"refusals"` // limits that refuse the request, or may refuse its result
}

// PlanLeg is the part of a plan that makes all bars of one range, except in its holes, out of rows of one kind. Its
// reads ascend, are disjoint, and together span Range; one read may span many holes.
type PlanLeg struct {
	Range domain.Range   `json:"range"`           // on open times of the requested grid
	Holes []domain.Range `json:"holes,omitempty"` // the uncovered parts of Range; QueryPlan.Uncovered has them too
	From  RowKind        `json:"from"`
	Grid  domain.Grid    `json:"frequency,omitzero"` // of the stored bars; zero if bars are aggregated from ticks
	Reads []PlanRead     `json:"reads"`              // one or more
}

// PlanRead is one query of a store.
type PlanRead struct {
	Source   domain.StoreName `json:"source"`   // the store's name
	Range    domain.Range     `json:"range"`    // on open times of the stored grid, or on times of ticks
	Inferred bool             `json:"inferred"` // some of the coverage is inferred from the first and last stored bar
	Estimate Estimate         `json:"estimate"`

	Cached []domain.Range `json:"cached,omitempty"` // parts of Range that a cache has, at almost no cost
	Server *ReadPlan      `json:"server,omitempty"` // the server's plan for the rest; nil if it has none
}

// RowKind is the kind of stored rows that bars are made of.
type RowKind string

// The row kinds.
const (
	RowBars   RowKind = "bars"
	RowTrades RowKind = "trades"
	RowQuotes RowKind = "quotes"
)

// Ticks returns the kind of tick of the rows; it is empty for bars.
func (k RowKind) Ticks() domain.TickKind {
	switch k {
	case RowTrades:
		return domain.TickTrades
	case RowQuotes:
		return domain.TickQuotes
	}

	return ""
}

// Estimate is an upper bound of the cost of reading. Rows are counted as if no slot of the stored grid was empty; of
// trades and quotes, one a second is assumed, because their number is not known before they are read.
type Estimate struct {
	Rows  int64         `json:"rows"`
	Bytes int64         `json:"bytes"` // in memory
	Cost  time.Duration `json:"-"`     // with one read after the other; 0 if the rate of a store is unknown
}

// plainEstimate is a Estimate without methods.
type plainEstimate Estimate

// estimateJSON is the JSON of a Estimate.
type estimateJSON struct {
	plainEstimate

	Cost domain.Seconds `json:"cost_seconds"`
}

// MarshalJSON returns an object with the cost in seconds.
func (e Estimate) MarshalJSON() ([]byte, error) {
	return json.Marshal(estimateJSON{plainEstimate(e), domain.Seconds(e.Cost)})
}

// UnmarshalJSON reads the object that MarshalJSON returns. Fields that the object lacks are not changed.
func (e *Estimate) UnmarshalJSON(text []byte) error {
	j := estimateJSON{plainEstimate(*e), domain.Seconds(e.Cost)}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}

	*e = Estimate(j.plainEstimate)
	e.Cost = time.Duration(j.Cost)

	return nil
}

// Add returns the sum of both. Its Cost is 0 unless both costs are known.
func (e Estimate) Add(o Estimate) Estimate {
	sum := Estimate{Rows: e.Rows + o.Rows, Bytes: e.Bytes + o.Bytes}
	if e.Cost > 0 && o.Cost > 0 {
		sum.Cost = e.Cost + o.Cost
	}

	return sum
}

// PlanRefusal is a limit that refuses a plan.
type PlanRefusal struct {
	Limit     string `json:"limit"` // its name in the configuration
	What      string `json:"what"`  // the unit that it counts
	Need      int64  `json:"need"`
	Most      int64  `json:"most"`
	Estimated bool   `json:"estimated"` // Need is an upper bound: the limit refuses only a result that turns out so large
}

// String returns the need of the plan, the limit and the remedy.
func (r PlanRefusal) String() string {
	needs := "needs"
	if r.Estimated {
		needs = "may need"
	}

	return fmt.Sprintf("the plan %s %d %s, at most %d are allowed (%s); request a shorter range",
		needs, r.Need, r.What, r.Most, r.Limit)
}

// Reads counts the queries of the plan.
func (p QueryPlan) Reads() int {
	n := 0
	for _, l := range p.Legs {
		n += len(l.Reads)
	}

	return n
}

// String is the plan as a tree for people, ending in a newline. Programs read its JSON.
func (p QueryPlan) String() string {
	root := node{text: fmt.Sprintf("%s %s: %s in %s, %s",
		p.Key, p.Range, atMost(p.Bars, "bar"), count(int64(p.Reads()), "read"), p.Total)}

	gaps := p.Uncovered
	for _, l := range p.Legs {
		for len(gaps) > 0 && gaps[0].Start.Before(l.Range.Start) {
			root.add(uncoveredNode(p.Key.Grid, gaps[:1]))
			gaps = gaps[1:]
		}
		root.add(l.node(p.Key))
		gaps = gaps[min(len(l.Holes), len(gaps)):]
	}
	for i := range gaps {
		root.add(uncoveredNode(p.Key.Grid, gaps[i:i+1]))
	}

	for _, refusal := range p.Refusals {
		verdict := "refused: "
		if refusal.Estimated {
			verdict = "may be refused: "
		}
		root.add(node{text: verdict + refusal.String()})
	}

	var s strings.Builder
	root.write(&s, "")

	return s.String()
}

// uncoveredNode is one line for one range, or for several from the first to the last.
func uncoveredNode(grid domain.Grid, ranges []domain.Range) node {
	slots, where := int64(0), ranges[0]
	for _, r := range ranges {
		slots += grid.Slots(r)
		where.End = r.End
	}

	text := where.String()
	if len(ranges) > 1 {
		text = count(int64(len(ranges)), "range") + " in " + text
	}

	return node{text: fmt.Sprintf("not covered %s: no data for %s", text, count(slots, "bar"))}
}

// shownHoles is the number of holes of a leg that have a line each. More of them share one line.
const shownHoles = 3

func (l PlanLeg) node(key domain.SeriesKey) node {
	var how string
	switch {
	case l.From != RowBars:
		how = "aggregated from " + string(l.From)
	case l.Grid == key.Grid:
		how = "stored " + l.Grid.String()
	default:
		how = "resampled from " + l.Grid.String()
	}

	slots := key.Grid.Slots(l.Range)
	for _, hole := range l.Holes {
		slots -= key.Grid.Slots(hole)
	}
	n := node{text: fmt.Sprintf("%s %s: %s", how, l.Range, atMost(slots, "bar"))}
	for _, read := range l.Reads {
		n.add(read.node(l))
	}

	holes := l.Holes
	for ; len(holes) > 0 && len(l.Holes) <= shownHoles; holes = holes[1:] {
		n.add(uncoveredNode(key.Grid, holes[:1]))
	}
	if len(holes) > 0 {
		n.add(uncoveredNode(key.Grid, holes))
	}

	return n
}

func (r PlanRead) node(l PlanLeg) node {
	text := string(r.Source)
	if len(l.Reads) > 1 {
		text += " " + r.Range.String()
	}
	text += ": " + r.Estimate.String()
	if l.From != RowBars {
		text += " (taken as one " + strings.TrimSuffix(string(l.From), "s") + " a second)"
	}
	if r.Inferred {
		text += " (coverage inferred from the first and last stored bar)"
	}

	cached := int64(0)
	for _, part := range r.Cached {
		cached += l.Grid.Slots(part)
	}
	switch {
	case cached > 0 && cached >= r.Estimate.Rows:
		text += ", all cached"
	case cached > 0:
		text += ", " + count(cached, "row") + " cached"
	}

	n := node{text: text}
	if r.Server != nil {
		n.add(node{text: strings.Join(r.Server.Lines, "\n")})
		for _, advice := range r.Server.Advice {
			n.add(node{text: "advice: " + advice})
		}
	}

	return n
}

// String is "at most 1440 rows, 81 kB, about 2ms".
func (e Estimate) String() string {
	s := atMost(e.Rows, "row") + ", " + formatBytes(e.Bytes)
	if e.Cost > 0 {
		s += ", about " + roundDuration(e.Cost).String()
	}

	return s
}

// node is one line or block of a tree and its children.
type node struct {
	text     string
	children []node
}

func (n *node) add(child node) { n.children = append(n.children, child) }

func (n *node) write(s *strings.Builder, indent string) {
	s.WriteString(strings.ReplaceAll(n.text, "\n", "\n"+indent) + "\n")
	for i := range n.children {
		branch, stem := "├─ ", "│  "
		if i == len(n.children)-1 {
			branch, stem = "└─ ", "   "
		}
		s.WriteString(indent + branch)
		n.children[i].write(s, indent+stem)
	}
}

func atMost(n int64, unit string) string { return "at most " + count(n, unit) }

// count is "1 bar" or "1440 bars".
func count(n int64, unit string) string {
	if n != 1 {
		unit += "s"
	}

	return strconv.FormatInt(n, 10) + " " + unit
}

// formatBytes is a count of bytes with a unit, to two digits or more.
func formatBytes(bytes int64) string {
	value, unit := float64(bytes), "B"
	for _, larger := range [...]string{"kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, larger
	}

	if value < 10 && unit != "B" {
		return fmt.Sprintf("%.1f %s", value, unit)
	}

	return fmt.Sprintf("%.0f %s", value, unit)
}

// roundDuration keeps two or three digits.
func roundDuration(d time.Duration) time.Duration {
	step := time.Duration(1)
	for d/step >= 1000 {
		step *= 10
	}

	return d.Round(step)
}
