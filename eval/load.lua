-- For wrk: posts the bodies of a file in turn, each thread from a different start, and prints the results
-- as one line of JSON.
--   wrk -t2 -c8 -d60s -s eval/load.lua http://127.0.0.1:8000/v1/ask -- bodies.jsonl
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  bodies = {}
  for line in io.lines(arguments[1]) do bodies[#bodies + 1] = line end
  place = number * 7919
  refused = 0
end

function request()
  place = place + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, bodies[place % #bodies + 1])
end

function response(status)
  if status == 503 then refused = refused + 1 end
end

function done(summary, latency)
  local refusals = 0
  for _, thread in ipairs(threads) do refusals = refusals + thread:get("refused") end
  local failed = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p95": %.3f, "p99": %.3f, "refused": %d, "failed": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    refusals, failed.status - refusals + failed.connect + failed.read + failed.write + failed.timeout))
end
