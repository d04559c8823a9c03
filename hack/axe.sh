#!/usr/bin/env bash
# Opens every page that croft makes in headless Chromium and looks for barriers with
# axe-core: the report of each family of plans, the approval page, and the status page
# of a running node. On light and dark screens, on a narrow one, and as printed.
#
#   npm install --prefix DIR axe-core playwright-core
#   NODE_PATH=DIR/node_modules hack/axe.sh
#
# CHROMIUM names a browser, CROFT a program that was built already. Exit status: 0 no
# barrier, 1 some, 3 something to install first.
set -euo pipefail
cd "$(dirname "$0")/.."
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$chromium" ] || { echo "install chromium, or name a browser in CHROMIUM" >&2; exit 3; }
node -e 'require("axe-core"); require("playwright-core")' 2>/dev/null ||
  { echo "install node, then: npm install --prefix DIR axe-core playwright-core; and NODE_PATH=DIR/node_modules" >&2; exit 3; }

place=$(mktemp -d)
croft=${CROFT:-$place/program}
finish() { "$croft" down --dir "$place/node" --quiet >/dev/null 2>&1 || true; rm -rf "$place"; }
trap finish EXIT
[ -n "${CROFT:-}" ] || CGO_ENABLED=0 go build -o "$croft" ./cmd/croft
port=$((20000 + RANDOM % 20000))
"$croft" up --dir "$place/node" --name "Clinic A" --detach --page "127.0.0.1:$port" >/dev/null

CHROMIUM=$chromium node - "$PWD"/internal/report/testdata/*.html "$PWD"/cmd/croft/testdata/*.html "http://127.0.0.1:$port/" <<'EOF'
const { chromium } = require('playwright-core');
const axe = require('axe-core');
(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
  console.log(`axe-core ${axe.version}, Chromium ${browser.version()}`);
  let found = 0;
  for (const page of process.argv.slice(2)) {
    for (const [how, options] of Object.entries({
      light: { colorScheme: 'light' },
      dark: { colorScheme: 'dark' },
      narrow: { colorScheme: 'light', viewport: { width: 320, height: 640 } },
      print: { colorScheme: 'light', print: true },
    })) {
      const context = await browser.newContext({ bypassCSP: true, ...options });
      const tab = await context.newPage();
      if (options.print) await tab.emulateMedia({ media: 'print' });
      const fetched = [];
      tab.on('request', (r) => fetched.push(r.url()));
      await tab.goto(page.startsWith('http') ? page : 'file://' + page);
      const strangers = fetched.filter((url) => !url.startsWith('file://') && new URL(url).host !== new URL(page.startsWith('http') ? page : 'http://none').host);
      await tab.evaluate(axe.source);
      const { violations, incomplete, passes } = await tab.evaluate(() => axe.run(document, { resultTypes: ['violations', 'incomplete'] }));
      const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      console.log(`${page.replace(/^.*\/(internal|cmd)\//, '$1/')}, ${how}: ${violations.length} violations, ${incomplete.length} to look at, ${passes.length} rules hold`);
      for (const v of [...violations, ...incomplete]) {
        console.log(`  ${violations.includes(v) ? 'violation' : 'look at'} ${v.id}: ${v.help}`);
        for (const n of v.nodes.slice(0, 3)) console.log(`    ${n.target}: ${n.failureSummary.replace(/\s+/g, ' ')}`);
      }
      if (how === 'narrow' && wide > 0) console.log(`  violation reflow: the page is ${wide} pixels wider than a screen of 320`);
      for (const url of strangers) console.log(`  violation fetched: ${url}`);
      found += violations.length + strangers.length + (how === 'narrow' && wide > 0 ? 1 : 0);
      await context.close();
    }
  }
  await browser.close();
  console.log(`${found} violations in all`);
  process.exit(found ? 1 : 0);
})();
EOF
