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

// ExplainRead implements ports.ReadExplainer. The plan is that of the statement that ReadBars prepares, planned as it is there: by
// default for any values, where partitions outside the range are removed when it begins ("Subplans Removed"). Advice is about the tables
// that the plan names, and about those that are not small alone: what a small one lacks costs nothing.
func (s *Store) ExplainRead(ctx context.Context, q ports.BarQuery) (ports.ReadPlan, error) {
	var plan ports.ReadPlan
	err := q.Key.Validate()
	if err == nil {
		err = s.withConn(ctx, func(conn *pgx.Conn) error {
			e := &explanation{writer{Store: s, conn: conn}}
			return e.transaction(ctx, func() (err error) {
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

// explanation is a connection in a transaction of its own.
type explanation struct{ writer }

func (e *explanation) explain(ctx context.Context, q ports.BarQuery) (plan ports.ReadPlan, err error) {
	sql, args := readStatement(q)
	statement, err := e.prepare(ctx, sql)
	if err != nil {
		return plan, err
	}

	defer e.deallocate(ctx, sql)
	var count int
	if _, err := e.queryRow(ctx, setArguments, []any{formatArguments(args)}, &count); err != nil {
		return plan, err
	}

	counted := q.First > 0 || q.Last > 0
	plan.Lines, err = queryAll(ctx, e, explainRead("FORMAT TEXT", statement, counted), nil, pgx.RowTo[string])
	if err != nil {
		return plan, err
	}

	nodes, err := queryAll(ctx, e, explainRead("FORMAT JSON, VERBOSE", statement, counted), nil, scanPlan)
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
	tables, err := queryAll(ctx, e, selectTableStats, []any{schemas, names}, scanTableStats)
	if err == nil {
		plan.Advice = adviseOn(tables, scans, q.Range)
	}

	return plan, err
}

func (e *explanation) prepare(ctx context.Context, sql string) (name string, err error) {
	limited, cancel := e.withTimeout(ctx)
	defer cancel()
	statement, err := e.conn.Prepare(limited, sql, sql)
	if err != nil {
		return "", withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
	}

	return pgx.Identifier{statement.Name}.Sanitize(), nil
}

// deallocate leaves the session as it was. Where it cannot, the next explanation finds the statement prepared.
func (e *explanation) deallocate(ctx context.Context, sql string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.ConnectTimeout)
	defer cancel()
	_ = e.conn.Deallocate(ctx, sql)
}

// readAll reads all rows of a statement that is run once.
func queryAll[T any](ctx context.Context, e *explanation, sql string, args []any, scan pgx.RowToFunc[T]) (all []T, err error) {
	limited, cancel := e.withTimeout(ctx)
	defer cancel()
	answer, err := e.conn.Query(limited, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err == nil {
		all, err = pgx.CollectRows(answer, scan)
	}

	return all, withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
}

// texts spells the arguments of a read as the server reads them.
func formatArguments(args []any) []string {
	spelled := make([]string, len(args))
	for i, arg := range args {
		if at, ok := arg.(time.Time); ok {
			arg = at.UTC().Format(time.RFC3339Nano)
		}
		spelled[i] = fmt.Sprint(arg)
	}

	return spelled
}

// planNode is a step of a plan, as the server's JSON has it.
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

	var plans [1]struct { // one, of one statement
		Plan planNode `json:"Plan"`
	}
	err := json.Unmarshal([]byte(text), &plans)
	return plans[0].Plan, err
}

// tableScan is how a plan reads a table.
type tableScan struct {
	schema, table string
	sequential    bool    // from its first page to its last
	rows          float64 // that it wants of them, as the server guesses
}

// scans appends how the plan reads each table, the first way where there are several.
func (n planNode) appendScans(to []tableScan) []tableScan {
	if n.Table != "" && !slices.ContainsFunc(to, func(s tableScan) bool { return s.schema == n.Schema && s.table == n.Table }) {
		to = append(to, tableScan{n.Schema, n.Table, n.Type == "Seq Scan", n.Rows})
	}
	for _, below := range n.Plans {
		to = below.appendScans(to)
	}

	return to
}
