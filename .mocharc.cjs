// In CI nothing is skipped and nothing is singled out.
const ci = process.env.CI !== undefined && process.env.CI !== "";

module.exports = {
  extension: ["ts"],
  "node-option": ["import=tsx"],
  timeout: 20000,
  reporter: "test/support/reporter.cjs",
  "forbid-only": ci,
  "forbid-pending": ci,
};
