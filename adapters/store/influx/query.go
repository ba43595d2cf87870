package influx

import (
	"maps"
	"strconv"
	"strings"
)

// All InfluxQL is here. Values are bound, never spliced in; names come from the layout, whose identifiers hold no quote.

// statement is InfluxQL and the values of its $ parameters.
type statement struct {
	text       string
	params     map[string]any
	statements int  // how many statements the text holds
	chunked    bool // ask for the answer in chunks
}

// builder writes one query.
type builder struct {
	text   strings.Builder
	params map[string]any
	bound  int // how many parameters have been bound, in other statements of the text too
}

func (b *builder) add(parts ...string) *builder {
	for _, p := range parts {
		b.text.WriteString(p)
	}
	return b
}

// bind writes a parameter in the place of the value.
func (b *builder) bind(value any) *builder {
	if b.params == nil {
		b.params = map[string]any{}
	}
	name := "p" + strconv.Itoa(b.bound)
	b.params[name] = value
	b.bound++

	return b.add("$" + name)
}

// where writes the conditions, each with the word that joins it to the one before.
func (b *builder) where(conditions []condition) {
	word := " WHERE "
	for _, c := range conditions {
		b.add(word, quote(c.tag), " = ").bind(c.value)
		word = " AND "
	}
}

// anyOf writes that the tag has one of the values.
func (b *builder) anyOf(tag string, values []string) {
	word := "("
	for _, v := range values {
		b.add(word, quote(tag), " = ").bind(v)
		word = " OR "
	}

	b.add(")")
}

func (b *builder) statement(count int) statement {
	return statement{text: b.text.String(), params: b.params, statements: count}
}

// maxQueryText is how long the text of several statements may be, in bytes.
const maxQueryText = 8 << 10

// join is one text of as many of the n statements as it may hold, which are the first of them, and at least one.
func join(n int, write func(b *builder, i int)) statement {
	var whole builder
	count := 0
	for ; count < n; count++ {
		one := builder{bound: whole.bound}
		write(&one, count)
		if count == 0 {
			whole.params = one.params
		} else {
			const between = "; "
			if whole.text.Len()+len(between)+one.text.Len() > maxQueryText {
				break
			}

			whole.add(between)
			maps.Copy(whole.params, one.params)
		}

		whole.add(one.text.String()).bound = one.bound
	}

	return whole.statement(count)
}

func quote(identifier string) string { return `"` + identifier + `"` }

func quoteAll(identifiers []string) string {
	return `"` + strings.Join(identifiers, `","`) + `"`
}

// createDatabase makes a database, and changes nothing where it exists. The name is an identifier.
func createDatabase(name string) statement {
	return statement{text: "CREATE DATABASE " + quote(name), statements: 1}
}

// span is a half-open range of times in nanoseconds since 1970.
type span struct{ start, end int64 }

// selectBars reads the bars of one series, at most limit of them where that is above 0, the last ones first where descending. The
// tags asked for come with every row, so that it says itself of which series it is; grouping by them would say it once a chunk, and
// takes the server half as long again.
func (l layout) selectBars(b *builder, where []condition, r span, limit int, descending bool) {
	b.add("SELECT ", quoteAll(l.answerColumns(where)[1:]), " FROM ", quote(l.measurement))
	b.where(where)
	b.add(" AND time >= ").bind(r.start).add(" AND time < ").bind(r.end)
	if descending {
		b.add(" ORDER BY time DESC")
	}
	if limit > 0 {
		b.add(" LIMIT ", strconv.Itoa(limit))
	}
}

// answerColumns is the columns of an answer with bars: time, the fields, and the tags of the conditions.
func (l layout) answerColumns(where []condition) []string {
	columns := append([]string{"time"}, l.fields...)
	if l.existing == nil {
		columns = append(columns, fieldWhole)
	}
	for _, c := range where {
		columns = append(columns, c.tag)
	}

	return columns
}

// countBars counts the rows of a range.
func (l layout) countBars(where []condition, r span) statement {
	var b builder
	b.add("SELECT COUNT(", quote(numberFields[0]), ") FROM ", quote(l.measurement))
	b.where(where)
	b.add(" AND time >= ").bind(r.start).add(" AND time < ").bind(r.end)
	return b.statement(1)
}

// deleteBars deletes the bars of a range.
func (l layout) deleteBars(where []condition, r span) statement {
	var b builder
	b.add("DELETE FROM ", quote(l.measurement))
	b.where(where)
	b.add(" AND time >= ").bind(r.start).add(" AND time < ").bind(r.end)
	return b.statement(1)
}

// edges is the first and the last bar of every series: of those whose symbol tag has one of the values, or of all.
func (l layout) edges(symbols []string) statement {
	var b builder
	for i, selector := range []string{"FIRST", "LAST"} {
		if i > 0 {
			b.add("; ")
		}
		where := l.conditions()
		b.add("SELECT ", selector, "(", quote(numberFields[0]), ") FROM ", quote(l.measurement))
		b.where(where)
		if len(symbols) > 0 {
			if len(where) == 0 {
				b.add(" WHERE ")
			} else {
				b.add(" AND ")
			}
			b.anyOf(l.keyTags[0], symbols)
		}

		b.add(" GROUP BY ", quoteAll(l.keyTags))
	}

	return b.statement(2)
}

// tagValues lists the values that a tag has where the conditions hold.
func (l layout) tagValues(b *builder, tag string, where []condition) {
	b.add("SHOW TAG VALUES FROM ", quote(l.measurement), " WITH KEY = ", quote(tag))
	b.where(where)
}

// fieldKeys lists the fields and their types.
func (l layout) fieldKeys() statement {
	var b builder
	b.add("SHOW FIELD KEYS FROM ", quote(l.measurement))
	return b.statement(1)
}
