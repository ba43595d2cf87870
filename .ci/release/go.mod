// The release tool has a module of its own: its dependencies are not those of the product.
module github.com/gal-friday/marketdata/.ci/release

go 1.26.0

require github.com/google/licensecheck v0.3.1
