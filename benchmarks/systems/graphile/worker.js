// graphile-worker as its documentation's page on performance configures it: 24 jobs at a time
// from a local queue of 500, completions in batches; two statements a task on its own pool.
const { run, runMigrations, Logger } = require("graphile-worker");
const { Pool } = require("pg");

const CLAIM = `
UPDATE task SET status = 'PROCESSING', attempt = attempt + 1, started_at = clock_timestamp()
WHERE id = $1 AND status IN ('PENDING', 'PROCESSING')
RETURNING attempt, input`;
const FINISH = `
UPDATE task SET status = 'COMPLETED', result = $1, finished_at = clock_timestamp()
WHERE id = $2 AND status = 'PROCESSING' AND attempt = $3`;

const pgPool = new Pool({ max: 25 });
const logger = new Logger(() => (level, message) => {
  if (level === "error" || level === "warning") console.error(message);
});

async function sum({ task_id }, helpers) {
  const began = Date.now() / 1000;
  const claimed = await helpers.query({ name: "claim", text: CLAIM, values: [task_id] });
  if (claimed.rows.length === 0) return;
  const { attempt, input } = claimed.rows[0];
  const result = { sum: input.numbers.reduce((sum, number) => sum + number, 0) };
  if (input.clock) result.began = began;
  await helpers.query({
    name: "finish",
    text: FINISH,
    values: [JSON.stringify(result), task_id, attempt],
  });
}

async function main() {
  if (process.argv[2] === "migrate") {
    await runMigrations({ pgPool, logger });
    return pgPool.end();
  }
  const runner = await run({
    pgPool,
    logger,
    taskList: { sum },
    preset: {
      worker: {
        concurrentJobs: 24,
        maxPoolSize: 25,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
  await runner.promise;
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
