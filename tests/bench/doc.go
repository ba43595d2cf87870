// Package bench measures what this project promises to be fast at, each path beside its floor: the same bytes moved
// without the work. The ways of a comparison take turns in one process, seven rounds after one to warm up, and medians
// are reported, since machines are noisy; read the ratios.
//
//	make bench > new.txt
//
// runs it; the output is in the form of Go's benchmarks, so benchstat compares the files of two runs. In each row, M/s
// is our millions of bars a second (of rows, where no bars are read), floor-M/s the floor's, of-floor the first over
// the second; other columns name what they compare with. Where a number was promised, asked- is what the column of that
// name is to be at most.
package bench
