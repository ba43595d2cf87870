package main

const importHelp = `Store the bars, trades or quotes of files; - is standard input. The extension of
a file, or --format, selects its format: csv, ndjson, parquet or bars, as export
writes them; a file with another extension is CSV. All files must be of one
series, or, of .bars files, of the same series.

The header line of a CSV file names the columns, which tell the kind of the
rows. The names of common exports are recognised, in any order and case:
  bars    time (or timestamp, date, open_time, unix...), open, high, low, close,
          volume; optional trades (a count)
  trades  time, price, size (or qty, amount...); optional id (or trade_id,
          seq...) and side
  quotes  time, bid, ask, bid_size, ask_size (or bid_qty...); optional id
Bars need --frequency. Binance klines need no header. Trades and quotes without
an id are numbered within their instant, in the order of the file; where files
are cut within an instant, the numbers continue. Times finer than a microsecond
are truncated and counted. Times are from 1700 to now, with a time zone, or as
numbers of s, ms, us or ns since 1970; numbers before 1980 need --time-unit. An
ambiguous value is an error that names the file, the line and the flag that
resolves it. A row that is invalid, out of order, in the future, or a second and
different row for one bar is an error too. The newest bars of a live download
are often not closed yet; they are counted, but not stored.

A file declares coverage from its first row to its last: a missing bar in
between means that nothing traded. A file that export wrote declares the ranges
that were covered there, in its metadata or in FILE.coverage.json beside it, and
names its series, so --symbol and --frequency may be left out. --complete-from
and --complete-until declare more, once all files are stored.

A line of NDJSON is a JSON object with the fields time, open, high, low, close,
volume and trades of a bar; time, seq, price, size and side of a trade; or time,
seq, bid, ask, bid_size and ask_size of a quote. It may have a symbol. Numbers
are strings or numbers, and are read exactly. A field that is unknown, missing
or null is an error, except for trades, seq and side.

A Parquet file has these columns under these names: time as TIMESTAMP in UTC,
prices, sizes and volumes as DECIMAL or integers, seq as an integer, side as a
string; floats are refused.

All series of a .bars file are stored; --symbol, --frequency and --price select
some of them.

With --rejects, invalid rows go to a file of their own, and the others are
stored. It has the rows as they were, with place and reason in a last column (or
field) named reason: correct it, and import it. The times of rejected rows stay
uncovered until then. Of two different rows for one bar, the second is rejected;
of trades or quotes, all rows of the time of an invalid one are. Each row of a
file with a column named reason covers only itself.

If rows are stored with other values, nothing of the file is stored, and the
error has their count and the first of them; --on-conflict replace overwrites
them, --on-conflict keep leaves them as they are. A file is compared whole
before its first row is stored; standard input is compared batch by batch.
--dry-run reports what would be stored.

Rows are stored in batches, each whole or not at all. After an error, a crash or
Ctrl-C, run the same command again: rows that are stored already are found
unchanged and not written again.`

const importExample = `  marketdata import --symbol COINBASE:BTC/USD --frequency 1m bars.csv
  marketdata import --symbol BINANCE:BTC/USDT --frequency 1h BTCUSDT-1h-*.csv
  marketdata import --symbol ACME --frequency 1d@America/New_York acme.csv \
    --time-zone America/New_York
  marketdata import --symbol BTC/USD --frequency 1m export.csv \
    --column time=Unix --column "volume=Volume BTC"
  marketdata import --symbol BTC/USD --frequency 1m --rejects bad.csv export.csv
  marketdata import --symbol XRP/ETH XRP-ETH_trades_2019-10.csv
  marketdata import hours.parquet
  marketdata import market.bars --symbol COINBASE:BTC/USD
  marketdata import --symbol XRP/ETH notebook.parquet
  zcat bars.csv.gz | marketdata import --symbol BTC/USD --frequency 1m -
  zcat trades.ndjson.gz | marketdata import --symbol BTC/USD --format ndjson -`
