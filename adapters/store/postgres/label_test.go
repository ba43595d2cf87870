package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"go/ast"
	"go/types"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestEveryCallIsLabeled proves that no text goes to the driver without a label, wherever the package calls it.
func TestEveryCallIsLabeled(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}

	// The argument of each method that is the text of a statement.
	texts := map[string]int{"Exec": 1, "Query": 1, "QueryRow": 1, "Prepare": 2, "CopyFrom": 2,
		"ExecContext": 1, "QueryContext": 1, "QueryRowContext": 1, "PrepareContext": 1, "SendBatch": 1}
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}

		file := parse(t, name)
		labeled := labeledNames(file)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}

			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			i, isStatement := texts[method.Sel.Name]
			if !isStatement || len(call.Args) <= i || isMigrators(name, call) {
				return true
			}

			calls++
			if text := types.ExprString(call.Args[i]); !strings.Contains(text, "label(") && !labeled[text] {
				t.Errorf("%s: %s sends %s without a label", name, types.ExprString(call.Fun), text)
			}

			return true
		})
	}
	if calls < 8 {
		t.Errorf("found %d calls of the driver", calls)
	}
}

// labeledNames returns the variables of a file that are set to a labeled text.
func labeledNames(file *ast.File) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		set, ok := n.(*ast.AssignStmt)
		if ok && strings.Contains(types.ExprString(set.Rhs[0]), "label(") {
			names[types.ExprString(set.Lhs[0])] = true
		}

		return true
	})

	return names
}

// isMigrators reports whether a call goes through a labeledConn, which labels the text, or is one of bun's.
func isMigrators(file string, call *ast.CallExpr) bool {
	receiver := types.ExprString(call.Fun)

	return file == "migrate.go" || file == "labeled_conn.go" && !strings.HasPrefix(receiver, "c.Conn.")
}

// sent collects the texts of the statements that clients send through its dial.
type sent struct {
	mu    sync.Mutex
	texts []string
}

func (s *sent) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &sentConn{Conn: conn, sent: s}, err
}

// sentConn reads the messages of a client.
type sentConn struct {
	net.Conn
	sent      *sent
	rest      []byte // the beginning of a message
	isStarted bool
}

// Write implements net.Conn.
func (c *sentConn) Write(b []byte) (int, error) {
	for c.rest = append(c.rest, b...); ; {
		head := 1 // the type of the message; the first message has none
		if !c.isStarted {
			head = 0
		}
		if len(c.rest) < head+4 {
			break
		}
		end := head + int(binary.BigEndian.Uint32(c.rest[head:]))
		if len(c.rest) < end {
			break
		}

		if c.isStarted {
			c.sent.add(c.rest[0], c.rest[head+4:end])
		}
		c.isStarted = true
		c.rest = slices.Clone(c.rest[end:])
	}

	return c.Conn.Write(b)
}

// add adds the text of a Query or of a Parse, which has the name of the prepared statement before it.
func (s *sent) add(kind byte, body []byte) {
	if kind == 'P' {
		_, body, _ = bytes.Cut(body, []byte{0})
	} else if kind != 'Q' {
		return
	}
	text, _, _ := bytes.Cut(body, []byte{0})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, string(text))
}

var labeledText = regexp.MustCompile(`(?s)^/\* marketdata: ([a-z ]+) \*/ (.*)$`)

// TestEveryStatementIsLabeled proves that the server gets every statement behind a comment with its operation, and no
// value in the comment: it reads what the operations of a store send. The driver's own statements have no operation.
func TestEveryStatementIsLabeled(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(servers.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}

	var sent sent
	config.ConnConfig.DialFunc = sent.dial
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}

	defer pool.Close()
	s, closeStore, err := OpenPool(t.Context(), pool, Config{
		MigrateOnOpen: true, TraceConnections: true,
		Traceparent: func(context.Context) string { return aTrace },
	})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	useStore(t, s)

	var ops, unlabeled, used []string
	sent.mu.Lock()
	defer sent.mu.Unlock()
	for _, text := range sent.texts {
		parts := labeledText.FindStringSubmatch(text)
		if parts == nil {
			unlabeled = append(unlabeled, text)
			continue
		}
		ops, used = append(ops, parts[1]), append(used, strings.TrimSpace(parts[2]))
	}

	for _, text := range unlabeled {
		if text != "-- ping" && text != "deallocate all" { // of the driver
			t.Errorf("no label: %.200s", text)
		}
	}
	slices.Sort(ops)
	want := []string{
		"abandon intents", "aggregate trades", "begin intent", "check", "delete bars", "delete quotes", "delete trades", "drop partitions",
		"explain read", "extents", "finish intent", "ledger series", "migrate", "open", "publish hints", "put symbols",
		"read bars", "read batch", "read cache key", "read identity", "read ledger", "read quotes", "read states",
		"read tables", "read trades", "read version", "remove symbol", "renew intents", "replace bars", "replace quotes",
		"replace trades", "subscribe to hints", "symbols", "tick extents", "touch", "unfinished writes", "write bars",
		"write identity", "write quotes", "write trades",
	}
	if got := slices.Compact(ops); !slices.Equal(got, want) {
		t.Errorf("the statements are of the operations\n%q; want\n%q", got, want)
	}
	for file, statements := range goldenSQL(t) {
		for _, g := range statements {
			if text := strings.TrimSpace(g.text); !slices.Contains(used, text) && !isRare.MatchString(g.name) {
				t.Errorf("%s of %s.sql was not sent; let useStore send it", g.name, file)
			}
		}
	}
}

// isRare matches statements that are sent only after an error, beside another writer, or for very many rows, and those
// whose text depends on the call.
var isRare = regexp.MustCompile(`^(selectRole|selectMissingPrivileges|limitStatements|unlimitStatements|lockSeries|` +
	`selectTradeBounds|explainRead.*|symbolSearch .*|.*\.(truncateStage|unstageSeries))$`)

// useStore calls every operation of a store.
func useStore(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	bars := hourlyBars(t, "BTC/USD", year(2024), 48)
	key, r := bars.Key(), bars.Range()
	must(s.PutSymbols(ctx, domain.NewSymbolMeta("BTC/USD")))
	for range 2 {
		_, err := ports.WriteBars(ctx, s, bars, r, ports.ConflictFail)
		must(err)
	}
	q := ports.BarQuery{Key: key, Range: r}
	first, last := q, q
	first.First, last.Last = 1, 1
	for _, q := range []ports.BarQuery{q, first, last} {
		_, err := ports.Collect(s.ReadBars(ctx, q).Rows())
		must(err)
		_, err = s.ExplainRead(ctx, q)
		must(err)
	}
	_, err := ports.Collect(s.ReadBatch(ctx, []ports.BarQuery{q}))
	must(err)
	_, err = s.ReadStates(ctx, []ports.SeriesQuery{{Key: key}})
	must(err)
	_, err = ports.Collect(s.Extents(ctx, ports.ExtentQuery{}))
	must(err)
	_, err = ports.Collect(s.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{"BTC/USD"}}))
	must(err)
	_, err = ports.Collect(s.Symbols(ctx, ports.SymbolQuery{}))
	must(err)
	_, err = s.ReplaceBars(ctx, bars.Slice(0, 2), r)
	must(err)
	must(s.TouchBars(ctx, key))
	_, err = s.DeleteBars(ctx, key, r)
	must(err)

	useTicks(t, s, must)
	useLedger(t, s, must)

	must(s.RemoveSymbol(ctx, "NONE"))
	_, err = s.DropPartitions(ctx, year(2030))
	must(err)
	must(s.Check(ctx))
	_, err = s.Version(ctx)
	must(err)
	_, err = s.Identity(ctx)
	must(err)
	_, err = s.CacheKey(ctx)
	must(err)
	useHints(t, s, must)
}

func useHints(t *testing.T, s *Store, must func(error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints := NewHints(s)
	received, err := hints.Subscribe(ctx)
	must(err)
	must(hints.Publish(ctx, blockcache.Hint{
		Store: "postgres", Key: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()},
	}))
	cancel()
	if received != nil {
		for range received {
		}
	}
}

func useTicks(t *testing.T, s *Store, must func(error)) {
	t.Helper()
	ctx := t.Context()
	one := domain.MustDecimal("1")
	trades, err := domain.NewTicks("BTC/USD", domain.Trade{Time: year(2024), Price: one, Size: one})
	must(err)
	quotes, err := domain.NewTicks("BTC/USD", domain.Quote{Time: year(2024), Bid: one, Ask: one, BidSize: one, AskSize: one})
	must(err)
	r := trades.Range()
	q := ports.TickQuery{Symbol: "BTC/USD", Range: r}
	for range 2 {
		_, err = s.WriteTrades(ctx, trades, r, ports.ConflictFail)
		must(err)
		_, err = s.WriteQuotes(ctx, quotes, r, ports.ConflictFail)
		must(err)
	}
	for _, n := range [][2]int{{0, 0}, {1, 0}, {0, 1}} {
		q.First, q.Last = n[0], n[1]
		_, err = ports.Collect(s.ReadTrades(ctx, q).Rows())
		must(err)
		_, err = ports.Collect(s.ReadQuotes(ctx, q).Rows())
		must(err)
	}
	for _, grid := range []domain.Grid{domain.Hour1.UTC(), domain.Month1.UTC()} {
		key := domain.SeriesKey{Symbol: "BTC/USD", Grid: grid}
		_, err = ports.Collect(s.AggregateTrades(ctx, key, domain.Range{Start: year(2024), End: year(2025)}).Rows())
		must(err)
	}
	_, err = ports.Collect(s.TickExtents(ctx, ports.ExtentQuery{}))
	must(err)
	_, err = ports.Collect(s.TickExtents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{"BTC/USD"}}))
	must(err)
	_, err = s.ReplaceTrades(ctx, trades, r)
	must(err)
	_, err = s.ReplaceQuotes(ctx, quotes, r)
	must(err)
	_, err = s.DeleteTrades(ctx, "BTC/USD", r)
	must(err)
	_, err = s.DeleteQuotes(ctx, "BTC/USD", r)
	must(err)
}

func useLedger(t *testing.T, s *Store, must func(error)) {
	t.Helper()
	ctx := t.Context()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	r := domain.Range{Start: year(2024), End: year(2025)}
	must(s.WriteIdentity(ctx, ledger.Identity{ID: "one", IsBound: true}))
	_, err := s.ReadIdentity(ctx)
	must(err)
	for range 2 {
		begun := s.BeginIntents(ctx, []ledger.IntentPlan{{Key: key, Range: r, Read: r, Owner: "a test"}})[0]
		must(begun.Err)
		must(s.RenewIntents(ctx, []ledger.Intent{begun.Intent}))
		must(s.AbandonIntents(ctx, []ledger.Intent{begun.Intent}))
	}
	begun := s.BeginIntents(ctx, []ledger.IntentPlan{{Key: key, Range: r, Read: r, Owner: "a test"}})[0]
	must(begun.Err)
	must(s.FinishIntents(ctx, []ledger.FinishedIntent{{Intent: begun.Intent}})[0])
	_, err = s.ReadLedger(ctx, []ports.SeriesQuery{{Key: key}})
	must(err)
	_, err = s.LedgerSeries(ctx)
	must(err)
	_, err = s.LedgerSeries(ctx, "BTC/USD")
	must(err)
	_, err = s.UnfinishedWrites(ctx)
	must(err)
}
