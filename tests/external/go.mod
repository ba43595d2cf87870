// This module is somebody else's: it proves that the contract suite can be imported from outside. The linters and the tests of
// the parent do not see it; run `go test ./...` here.
module example.com/external

go 1.26.0

require github.com/gal-friday/marketdata v0.0.0

replace github.com/gal-friday/marketdata => ../..
