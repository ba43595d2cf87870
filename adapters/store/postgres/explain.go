package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
)

var _ ports.ReadExplainer = (*Store)(nil)

const opExplain = "explain read"

// ExplainRead implements ports.ReadExplainer. It returns the plan of the statement that ReadBars prepares, planned in
// the same way: by default for any values, so that the server removes partitions outside the range when the statement
// starts ("Subplans Removed"). Advice concerns the tables that the plan names, except small ones, because their flaws
// cost nothing.
func (s *Store) ExplainRead(ctx context.Context, q ports.BarQuery) (ports.ReadPlan, error) {
	var plan ports.ReadPlan
	err := q.Key.Validate()
	if err == nil {
		err = s.withConn(ctx, opExplain, func(db session) error {
			e := &explainer{db: db}
			return e.db.transaction(ctx, func() (err error) {
				plan, err = e.explain(ctx, q)
				return err
			})
		})
	}
	if err != nil {
		return ports.ReadPlan{}, translate(ctx, opExplain, q.Key.String(), err)
	}

	return plan, nil
}

// explainer explains reads inside a transaction, because the arguments are settings of the transaction.
type explainer struct{ db session }

func (e *explainer) explain(ctx context.Context, q ports.BarQuery) (plan ports.ReadPlan, err error) {
	read := barRows(q)
	name, err := e.prepare(ctx, read.sql)
	if err != nil {
		return plan, err
	}

	defer e.deallocate(ctx, read.sql)
	var count int
	if err := e.db.queryRow(ctx, setArguments, []any{formatArguments(read.args)}, &count); err != nil {
		return plan, err
	}

	hasLimit := q.First > 0 || q.Last > 0
	plan.Lines, err = explainRows(ctx, e.db, explainRead("FORMAT TEXT", name, hasLimit), pgx.RowTo[string])
	if err != nil {
		return plan, err
	}

	nodes, err := explainRows(ctx, e.db, explainRead("FORMAT JSON, VERBOSE", name, hasLimit), scanPlan)
	if err != nil {
		return plan, err
	}

	var scans []tableScan
	for _, n := range nodes {
		scans = n.appendScans(scans)
	}
	var schemas, names []string
	for _, s := range scans {
		schemas, names = append(schemas, s.schema), append(names, s.table)
	}
	tables, err := explainRows(ctx, e.db, selectTableStats, scanTableStats, schemas, names)
	if err == nil {
		plan.Advice = adviseOn(tables, scans, q.Range)
	}

	return plan, err
}

// prepare prepares the statement as a read does and returns its name, quoted.
func (e *explainer) prepare(ctx context.Context, sql string) (name string, err error) {
	stmtCtx, cancel := e.db.store.withTimeout(ctx)
	defer cancel()
	sql = e.db.label(sql)
	prepared, err := e.db.conn.Prepare(stmtCtx, sql, sql)
	if err != nil {
		return "", withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
	}

	return pgx.Identifier{prepared.Name}.Sanitize(), nil
}

// deallocate drops the prepared statement. If that fails, the next explanation on the connection finds it prepared.
func (e *explainer) deallocate(ctx context.Context, sql string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.db.store.cfg.ConnectTimeout)
	defer cancel()
	_ = e.db.conn.Deallocate(ctx, e.db.label(sql))
}

// explainRows runs a statement without preparing it, because it runs once, and returns all its rows.
func explainRows[T any](
	ctx context.Context, db session, sql string, scan pgx.RowToFunc[T], args ...any,
) (all []T, err error) {
	stmtCtx, cancel := db.store.withTimeout(ctx)
	defer cancel()
	args = append([]any{pgx.QueryExecModeExec}, args...)
	rows, err := db.conn.Query(stmtCtx, db.label(sql), args...)
	if err == nil {
		all, err = pgx.CollectRows(rows, scan)
	}

	return all, withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
}

// formatArguments returns the arguments of a read as texts that the server parses.
func formatArguments(args []any) []string {
	texts := make([]string, len(args))
	for i, arg := range args {
		if t, ok := arg.(time.Time); ok {
			arg = t.UTC().Format(time.RFC3339Nano)
		}
		texts[i] = fmt.Sprint(arg)
	}

	return texts
}

// planNode is a node of a plan in the server's JSON.
type planNode struct {
	Type   string     `json:"Node Type"`
	Schema string     `json:"Schema"`
	Table  string     `json:"Relation Name"`
	Rows   float64    `json:"Plan Rows"`
	Plans  []planNode `json:"Plans"`
}

func scanPlan(row pgx.CollectableRow) (planNode, error) {
	var text string
	if err := row.Scan(&text); err != nil {
		return planNode{}, err
	}

	var plans [1]struct { // of one statement
		Plan planNode `json:"Plan"`
	}
	err := json.Unmarshal([]byte(text), &plans)

	return plans[0].Plan, err
}

// tableScan describes how a plan reads a table.
type tableScan struct {
	schema, table string
	sequential    bool    // reads every page
	rows          float64 // that the server expects it to return
}

// appendScans appends the scan of each table of the plan, the first one if there are several.
func (n planNode) appendScans(scans []tableScan) []tableScan {
	isKnown := func(s tableScan) bool { return s.schema == n.Schema && s.table == n.Table }
	if n.Table != "" && !slices.ContainsFunc(scans, isKnown) {
		scans = append(scans, tableScan{n.Schema, n.Table, n.Type == "Seq Scan", n.Rows})
	}
	for _, child := range n.Plans {
		scans = child.appendScans(scans)
	}

	return scans
}
