-- One connection's requests, by environment: BENCH_TOKENS (a file, one token a line, taken in turn; behind a tab there
-- may be a proof, RFC 9449), BENCH_FRESH
-- (another, of which every hundredth request takes the next), BENCH_METHOD, BENCH_BODY (bytes), BENCH_ONCE (stop
-- where the tokens end), BENCH_DELAY (the longest pause between an answer and the next request, in milliseconds).

local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int, int);")

local function show(line)
  local token, proof = line:match("^(.*)\t(.*)$")
  return token and "DPoP " .. token .. "\r\nDPoP: " .. proof or "Bearer " .. line
end

local function read(path)
  local tokens = {}
  if path then for line in io.lines(path) do tokens[#tokens + 1] = show(line) end end
  return tokens
end

local tokens, fresh = read(os.getenv("BENCH_TOKENS")), read(os.getenv("BENCH_FRESH"))
local once, longest = os.getenv("BENCH_ONCE"), tonumber(os.getenv("BENCH_DELAY"))
local sent, used = 0, 0

wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.headers["Authorization"] = tokens[1]
local size = tonumber(os.getenv("BENCH_BODY"))
if size then
  wrk.body = string.rep("x", size)
  wrk.headers["Content-Type"] = "application/octet-stream"
end

-- wrk's main thread sleeps for the whole duration; only an interrupt wakes it, and makes the duration true.
local function finish()
  wrk.thread:stop()
  ffi.C.kill(ffi.C.getpid(), 2)
end

if #tokens > 1 or #fresh > 0 then
  function request()
    sent = sent + 1
    if once and sent > #tokens then finish() end
    if sent % 100 == 0 and used < #fresh then
      used = used + 1
      wrk.headers["Authorization"] = fresh[used]
    else
      wrk.headers["Authorization"] = tokens[(sent - 1) % #tokens + 1]
    end
    return wrk.format()
  end
end

if longest then
  function delay() return math.random(0, longest) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "p999": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    latency:percentile(99.9) / 1e6,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
