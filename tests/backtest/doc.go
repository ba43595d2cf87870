// Package backtest is a worked example: a moving-average strategy over three symbols, played over any store. Read it in
// this order: strategy.go, which knows nothing but ports and would trade live as it is; broker.go, which simulates what
// an exchange does with its orders; run.go, which puts the two into a session. The tests run it on memory, sqlite and
// PostgreSQL and want equal fills; pointintime_test.go wants that nothing an application tells during a replay, of a
// random history, knows what comes later.
package backtest
