package main

// dataSentences are what is said of registered data.
var dataSentences = map[string]string{
	"data.short":        "your datasets",
	"data.long":         "Data registers files with your node, so that studies can be approved for them. Rows stay\nwhere they are; the ledger gets a name, a commitment to the content, and a budget.",
	"data.public":       "Public data: disclosure rules off, what they would refuse is only a warning.",
	"data.registered":   "registered",
	"data.unregistered": "not on the ledger yet: add it again",

	"data.add.short": "register a file of rows",
	"data.add.long": `Add reads a CSV or Parquet file, several with one header, or a folder of them, and registers
this version of it. Nothing of it is copied or sent: the ledger gets its name, a commitment to
its content, and how many sums its people may be in. A file that changes later stops the studies that use it until it is added again.

Datasets that hold the same people share one budget: a copy brings none.

Your rules: a study that has fewer people here than --min-rows to train on, or fewer than
--min-cell in any cell of a table of features and label, gets nothing from you. They can
only be tightened, except for data that is published anyway (--public).`,
	"data.add.example": `  croft data add visits.csv --unit patient_id
  croft data add visits.csv --unit row --releases 50 --yes
  croft data add visits.csv --unit patient_id --dry-run
  croft data add 2024.csv 2025.csv --unit patient_id --decimal-comma
  croft data add export/ --view pressures.json --unit patient`,
	"data.add.flag.name":     "name for people (default: the file's)",
	"data.add.flag.view":     "read a folder of FHIR resources (*.ndjson) by this view, an SQL on FHIR ViewDefinition; given again, join that view by the column that both have",
	"data.add.flag.host":     "a host that may be asked for resources, when a FHIR server's manifest of an export is added by its address",
	"data.add.flag.token":    "a file with the token that those hosts ask for",
	"data.add.url":           "resources from a server need a view, the column that identifies a person, a name and the hosts that may be asked",
	"data.add.fetching":      "Fetching {0} into {1} …",
	"data.add.flag.unit":     "the column that identifies a person; row if each row is one person. It never leaves",
	"data.add.flag.releases": "how many sums these people may be in, over all studies (asked if left out)",
	"data.add.flag.public":   "published research data: disclosure rules only warn",
	"data.add.flag.rows":     "people to train on, at least",
	"data.add.flag.cell":     "people in each cell that is not empty, at least",
	"data.add.flag.exact":    "allow counts by time or value with fewer people in a cell, and more than 4 exact numbers a row: they can show single people",
	"data.add.nounit":        "the file does not say by itself which rows are one person",
	"data.add.nounit.fix":    "name the column that identifies a person with --unit COLUMN, or give --unit row if each row is one person",
	"data.add.nounit.guess":  "it looks like --unit {0}; give --unit row if each row is one person",
	"data.add.ask":           "Each round of a study publishes one total that your people are in. How many such totals do you allow, over all studies? [{0}]",
	"data.add.badreleases":   "{0} is not a number of sums",
	"data.add.reading":       "Reading {0} …",
	"data.add.read":          "{0}, {1}, {2} by column {3}.",
	"data.add.personal":      "! These columns say who somebody is: {0}. Leave them out of the file; no study should read them.",
	"data.add.overlaps":      "It holds people of {0}: they share one budget.",
	"data.add.releases":      "These people may be in {0} sums, over all studies.",
	"data.add.done":          "✓ Stays in {0}. The ledger has a name and a commitment: croft data card {1}",
	"data.add.next":          "Next: croft study new --from {0}, or see whether a study waits for it: croft status",

	"data.ls.short":   "list your datasets",
	"data.ls.long":    "Ls lists your datasets, oldest first, with how many of the allowed sums their people were in.",
	"data.ls.example": "  croft data ls",
	"data.ls.none":    "No dataset yet. Register one: croft data add FILE.csv --unit COLUMN",
	"data.ls.head":    "NAME\tID\tROWS\tCOLUMNS\tSUMS USED\tADDED\t",
	"data.ls.row":     "{0}\t{1}\t{2}\t{3}\t{4} of {5}\t{6}\t{7}",

	"data.card.short":        "show a dataset",
	"data.card.long":         "Card shows all that your node knows of a dataset, and what the ledger knows of it.\n\nWith --json-ld it is a card for others, in the Croissant format that search engines for datasets\nread: name, license, creator, about how many rows, and the columns that a draft of a study\nwould have. Nothing of it is published: put it where you like.",
	"data.card.example":      "  croft data card visits\n  croft data card visits --json-ld --license CC-BY-4.0",
	"data.card.flag.linked":  "write a card for others, as Croissant JSON-LD",
	"data.card.flag.license": "with --json-ld: under which license, an SPDX name or a URL",
	"data.card.nolicense":    "a card for others says under which license the data may be used",
	"data.card.describes":    "About {0} rows that stay with their owner. Studies of the network {1} may ask them for totals.",
	"data.card.name":         "{0}\t{1}, {2}",
	"data.card.file":         "File\t{0}, added {1}",
	"data.card.more":         "\t{0}",
	"data.card.view":         "View\t{0}",
	"data.card.rows":         "Rows\t{0}; a person is told by {1}",
	"data.card.columns":      "Columns\t{0}",
	"data.card.budget":       "Budget\t{0} of {1} sums used",
	"data.card.exact":        "\texact detail is allowed: counts by time or value can show single people",
	"data.card.policy":       "Rules\tat least {0} people to train on, {1} in every cell, at most {2} parameters a row",
	"data.card.known":        "Ledger\tcommitment {0}, record group {1}; nothing of the content",
}
