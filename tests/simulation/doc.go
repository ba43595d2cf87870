// Package simulation runs the whole application for a simulated month over stores that fail. It has tests only. A
// printed seed fixes the traffic and the faults: MARKETDATA_TEST_SEED repeats a run. It must not need a server, and no
// real time passes in it.
package simulation
