// Package bench measures the paths that must be fast, each beside its baseline (floor): code that moves the same bytes
// and does nothing else. The alternatives take turns in one process: one round to warm up, then seven. The benchmarks
// report medians. Compare ratios, because machines are noisy.
//
//	make bench > new.txt
//
// The output has the format of Go's benchmarks, so benchstat compares the files of two runs. In each row, M/s is our
// speed in millions of bars per second (of rows, if no bars are read), floor-M/s is the speed of the baseline, and
// of-floor is the first divided by the second. Other columns name the alternative. A column asked-NAME is the required
// maximum of the column NAME.
package bench
