package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// String is the plan as a tree for people, ending in a newline: what each leg answers and makes it of, what each read costs, what
// nobody holds, and which limit refuses it. Programs take its JSON.
func (p Plan) String() string {
	root := node{text: fmt.Sprintf("%s %s: %s in %s, %s", p.Key, p.Range, atMost(p.Bars, "bar"), count(int64(p.Reads()), "read"), p.Total)}
	open := p.Uncovered
	for _, l := range p.Legs {
		for len(open) > 0 && open[0].Start.Before(l.Range.Start) {
			root.add(p.uncovered(open[0]))
			open = open[1:]
		}
		root.add(l.explained(p.Key))
	}

	for _, r := range open {
		root.add(p.uncovered(r))
	}
	for _, refusal := range p.Refusals {
		word := "refused: "
		if refusal.Estimated {
			word = "may be refused: "
		}
		root.add(node{text: word + refusal.Error()})
	}

	var s strings.Builder
	root.write(&s, "")
	return s.String()
}

func (p Plan) uncovered(r domain.Range) node {
	return node{text: fmt.Sprintf("uncovered %s: %s that nobody holds", r, count(p.Key.Grid.Slots(r), "bar"))}
}

func (l Leg) explained(key domain.SeriesKey) node {
	var how string
	switch {
	case l.Rows != BarRows:
		how = "aggregated from " + l.Rows.String()
	case l.Grid == key.Grid:
		how = "stored " + l.Grid.String()
	default:
		how = "resampled from " + l.Grid.String()
	}

	n := node{text: fmt.Sprintf("%s %s: %s", how, l.Range, atMost(key.Grid.Slots(l.Range), "bar"))}
	for i := range l.Reads {
		read := &l.Reads[i]
		text := read.Source
		if len(l.Reads) > 1 {
			text += " " + read.Range.String()
		}
		text += ": " + read.String()
		if l.Rows != BarRows {
			text += " (taken as one " + strings.TrimSuffix(l.Rows.String(), "s") + " a second)"
		}
		if read.Inferred {
			text += " (assumed: from the first bar it holds to the last, without a claim)"
		}
		switch cached := read.cachedRows(l.Grid); {
		case cached >= read.Rows:
			text += ", all cached"
		case cached > 0:
			text += ", " + count(cached, "row") + " cached"
		}

		below := node{text: text}
		if read.Server != nil {
			below.add(node{text: strings.Join(read.Server.Lines, "\n")})
			for _, advice := range read.Server.Advice {
				below.add(node{text: "advice: " + advice})
			}
		}

		n.add(below)
	}

	return n
}

// String is "at most 1 440 rows, 81 kB, about 2ms".
func (e Estimate) String() string {
	s := atMost(e.Rows, "row") + ", " + size(e.Bytes)
	if e.Cost > 0 {
		s += ", about " + rounded(e.Cost).String()
	}
	return s
}

// node is a line of a tree, or a few, and the nodes below it.
type node struct {
	text  string
	below []node
}

func (n *node) add(below node) { n.below = append(n.below, below) }

func (n *node) write(s *strings.Builder, indent string) {
	s.WriteString(strings.ReplaceAll(n.text, "\n", "\n"+indent) + "\n")
	for i := range n.below {
		branch, stem := "├─ ", "│  "
		if i == len(n.below)-1 {
			branch, stem = "└─ ", "   "
		}
		s.WriteString(indent + branch)
		n.below[i].write(s, indent+stem)
	}
}

func atMost(n int64, what string) string { return "at most " + count(n, what) }

// count is "1 bar" or "1 440 bars".
func count(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + " " + digits[at:]
	}

	return digits + " " + what
}

// size is a count of bytes with a unit, to two digits or more.
func size(bytes int64) string {
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

// rounded leaves two or three digits.
func rounded(d time.Duration) time.Duration {
	step := time.Duration(1)
	for d/step >= 1000 {
		step *= 10
	}
	return d.Round(step)
}
