package influx

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// This file holds all query text of the package. It is InfluxQL; the package sends no Flux. Values are always bound as
// parameters. Identifiers come from the layout, whose names contain no quote. The golden files in testdata/statements
// show every statement.

// query is the text of one or more InfluxQL statements.
type query struct {
	text       string
	params     map[string]any // the values of the parameters $p0, $p1 and so on
	statements int            // how many statements the text has
	chunked    bool           // whether the result is bars, which the server sends in chunks
	noResult   bool           // whether the statement has no result, so that the response may have none
}

// maxQueryText limits the text that joinStatements makes, in bytes.
const maxQueryText = 8 << 10

const statementSeparator = "; "

// joinStatements joins as many of n statements as fit into maxQueryText: the first ones, at least one. n must be above
// 0. statement(i, firstParam) must return statement i with its parameters numbered from firstParam.
func joinStatements(n int, statement func(i, firstParam int) query) query {
	first := statement(0, 0)
	queries, length, params := []query{first}, len(first.text), len(first.params)
	for i := 1; i < n; i++ {
		q := statement(i, params)
		length += len(statementSeparator) + len(q.text)
		if length > maxQueryText {
			break
		}

		queries = append(queries, q)
		params += len(q.params)
	}

	return joinQueries(queries)
}

// joinQueries returns one query with the statements of all of them. Their parameters must be numbered consecutively.
func joinQueries(queries []query) query {
	var joined query
	texts := make([]string, len(queries))
	for i, q := range queries {
		texts[i] = q.text
		joined.statements += q.statements
		if joined.params == nil {
			joined.params = q.params
		} else {
			maps.Copy(joined.params, q.params)
		}
	}
	joined.text = strings.Join(texts, statementSeparator)

	return joined
}

// builder builds the text of one statement.
type builder struct {
	text      strings.Builder
	params    map[string]any
	nextParam int
}

// add appends text.
func (b *builder) add(parts ...string) *builder {
	for _, p := range parts {
		b.text.WriteString(p)
	}
	return b
}

// bind appends a parameter with the value.
func (b *builder) bind(value any) *builder {
	if b.params == nil {
		b.params = map[string]any{}
	}
	name := "p" + strconv.Itoa(b.nextParam)
	b.params[name] = value
	b.nextParam++

	return b.add("$" + name)
}

// addWhere appends a WHERE clause with the conditions, or nothing if there are none.
func (b *builder) addWhere(conditions []condition) {
	keyword := " WHERE "
	for _, c := range conditions {
		b.add(keyword, quote(c.tag), " = ").bind(c.value)
		keyword = " AND "
	}
}

// addTimeRange appends the condition that the time lies in s. A WHERE clause with a condition must precede it.
func (b *builder) addTimeRange(s span) {
	b.add(" AND time >= ").bind(s.start).add(" AND time < ").bind(s.end)
}

// maxAlternatives limits how many alternatives addAnyOf lists in one pair of parentheses. It divides more of them into
// halves, because the server takes quadratic time for a list.
const maxAlternatives = 64

// addAnyOf appends the condition that the tag has one of the values.
func (b *builder) addAnyOf(tag string, values []string) {
	if half := len(values) / 2; half >= maxAlternatives/2 {
		b.add("(")
		b.addAnyOf(tag, values[:half])
		b.add(" OR ")
		b.addAnyOf(tag, values[half:])
		b.add(")")

		return
	}

	keyword := "("
	for _, v := range values {
		b.add(keyword, quote(tag), " = ").bind(v)
		keyword = " OR "
	}

	b.add(")")
}

// query returns the statement.
func (b *builder) query() query {
	return query{text: b.text.String(), params: b.params, statements: 1}
}

func quote(identifier string) string { return `"` + identifier + `"` }

// escapes is for names that InfluxQL may contain in quotes, and that are not identifiers.
var escapes = strings.NewReplacer("\\", `\\`, `"`, `\"`, "\n", `\n`)

func quoteAll(identifiers []string) string {
	return `"` + strings.Join(identifiers, `","`) + `"`
}

// createDatabase creates a database, or does nothing if it exists. name may be any text.
func createDatabase(name string) query {
	return query{text: "CREATE DATABASE " + quote(escapes.Replace(name)), statements: 1, noResult: true}
}

// showRetentionPolicies lists the retention policies of the database.
func showRetentionPolicies() query { return query{text: "SHOW RETENTION POLICIES", statements: 1} }

// span is a half-open range of times, in nanoseconds since 1970.
type span struct{ start, end int64 }

// barSelection selects bars of one series.
type barSelection struct {
	where      []condition
	span       span
	limit      int  // at most so many bars; 0 is no limit
	descending bool // the last bar first
}

// selectBars selects bars. Each row has the tags of the conditions as columns, so that the reader can check its series.
// GROUP BY would return the tags once a chunk instead, but takes the server 1.5 times as long.
func (l layout) selectBars(s barSelection, firstParam int) query {
	b := builder{nextParam: firstParam}
	b.add("SELECT ", quoteAll(l.barColumns(s.where)[1:]), " FROM ", quote(l.measurement))
	b.addWhere(s.where)
	b.addTimeRange(s.span)
	if s.descending {
		b.add(" ORDER BY time DESC")
	}
	if s.limit > 0 {
		b.add(" LIMIT ", strconv.Itoa(s.limit))
	}

	return b.query()
}

// selectBarsOf selects the bars of several series that differ in the symbol only, in the order of time. It puts the
// symbol before the fields, so that the reader knows the series of a row before it decodes them.
func (l layout) selectBarsOf(symbols []string, others []condition, s span) query {
	var b builder
	b.add("SELECT ", quoteAll(l.barColumnsOf(others)[1:]), " FROM ", quote(l.measurement))
	b.addWhere(others)
	b.addTimeRange(s)
	b.add(" AND ")
	b.addAnyOf(tagSymbol, symbols)
	q := b.query()
	q.chunked = true

	return q
}

// barColumnsOf returns the columns of the result of selectBarsOf.
func (l layout) barColumnsOf(others []condition) []string {
	return slices.Insert(l.barColumns(others), 1, tagSymbol)
}

// barColumns returns the columns of the result of selectBars: time, the fields, and the tags of the conditions.
func (l layout) barColumns(where []condition) []string {
	columns := append([]string{"time"}, l.fields...)
	for _, c := range where {
		columns = append(columns, c.tag)
	}

	return columns
}

// countBars counts the rows of a range that have the first field of a bar.
func (l layout) countBars(where []condition, s span) query {
	var b builder
	b.add("SELECT COUNT(", quote(numberFields[0]), ") FROM ", quote(l.measurement))
	b.addWhere(where)
	b.addTimeRange(s)

	return b.query()
}

// deleteBars deletes the bars of a range.
func (l layout) deleteBars(where []condition, s span) query {
	var b builder
	b.add("DELETE FROM ", quote(l.measurement))
	b.addWhere(where)
	b.addTimeRange(s)
	q := b.query()
	q.noResult = true

	return q
}

// selectEdges selects the first bar of every series, in one statement, and the last bar of every series, in another.
// symbols limits the series to those whose symbol tag has one of the values; none is every series.
func (l layout) selectEdges(symbols []string) query {
	first := l.selectEdge("FIRST", symbols, 0)
	return joinQueries([]query{first, l.selectEdge("LAST", symbols, len(first.params))})
}

// selectEdge selects one bar of every series. selector must be FIRST or LAST.
func (l layout) selectEdge(selector string, symbols []string, firstParam int) query {
	b := builder{nextParam: firstParam}
	where := l.commonConditions()
	b.add("SELECT ", selector, "(", quote(numberFields[0]), ") FROM ", quote(l.measurement))
	b.addWhere(where)
	if len(symbols) > 0 {
		if len(where) == 0 {
			b.add(" WHERE ")
		} else {
			b.add(" AND ")
		}
		b.addAnyOf(l.keyTags[0], symbols)
	}
	b.add(" GROUP BY ", quoteAll(l.keyTags))

	return b.query()
}

// selectIdentity selects the identity of the database, which has one time.
func (l layout) selectIdentity(at int64) query {
	var b builder
	b.add("SELECT ", quote(fieldIdentity), " FROM ", quote(l.identityMeasurement()), " WHERE time = ").bind(at)
	return b.query()
}

// showTagValues lists the values of a tag in the series that the conditions select.
func (l layout) showTagValues(tag string, where []condition, firstParam int) query {
	b := builder{nextParam: firstParam}
	b.add("SHOW TAG VALUES FROM ", quote(l.measurement), " WITH KEY = ", quote(tag))
	b.addWhere(where)
	return b.query()
}

// showFieldKeys lists the fields and their types.
func (l layout) showFieldKeys() query {
	var b builder
	b.add("SHOW FIELD KEYS FROM ", quote(l.measurement))
	return b.query()
}
