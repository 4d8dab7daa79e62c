// Mocha's spec reporter, plus: every skipped test by name, and the closing line "N passed, N failed" on a line of its own.
const { reporters, Runner } = require("mocha");

class ClosingLine extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(test.fullTitle()));
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      for (const title of skipped) console.log(`skipped: ${title}`);
      const { passes = 0, failures = 0 } = this.stats;
      console.log(`${passes} passed, ${failures} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
    });
  }
}

module.exports = ClosingLine;
