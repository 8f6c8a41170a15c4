-- Asks obo-proxy's authorizer how a request may go on: "http-request lua.obo HOST:PORT".
-- Needs HAProxy 2.6 or later, built with Lua. What follows must deny requests without txn.obo = "allowed".

local PASSED_ON = { "content-type", "cache-control", "www-authenticate", "dpop-nonce", "retry-after", "x-request-id" }

local function refuse(txn, status, headers, body)
  local reply = txn:reply({ status = status, reason = "Refused" })
  for name, values in pairs(headers) do
    for _, value in pairs(values) do
      reply:add_header(name, value)
    end
  end
  reply:set_body(body)
  txn:done(reply)
end

local function find(response, name)
  local values = response.headers and response.headers[name]
  return values and (values[0] or values[1])
end

core.register_action("obo", { "http-req" }, function(txn, authorizer)
  local fields = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    fields[name] = {}
    for index = 0, #values do
      table.insert(fields[name], values[index])
    end
  end
  -- The body stays here, and so does what is said of the connection.
  for _, name in ipairs({ "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te" }) do
    fields[name] = nil
  end
  fields["x-forwarded-method"] = { txn.sf:method() }
  fields["x-forwarded-proto"] = { txn.sf:ssl_fc() == "1" and "https" or "http" }
  fields["x-forwarded-host"] = fields["host"] or {}
  fields["x-forwarded-uri"] = { txn.sf:pathq() }
  fields["host"] = { authorizer }

  local asked, response = pcall(function()
    return core.httpclient():get({ url = "http://" .. authorizer .. "/forward", headers = fields, timeout = 10000 })
  end)
  if not asked or not response or not response.status or response.status == 0 then
    core.log(core.err, "obo: the authorizer at " .. authorizer .. " does not answer")
    return refuse(txn, 503, { ["retry-after"] = { "1" } }, "")
  end
  if response.status ~= 200 then
    local headers = {}
    for _, name in ipairs(PASSED_ON) do
      headers[name] = response.headers and response.headers[name]
    end
    return refuse(txn, response.status, headers, response.body or "")
  end
  -- The caller's own is gone in any case; where no token is sent, none stands there.
  txn.http:req_del_header("authorization")
  local authorization = find(response, "authorization")
  if authorization then
    txn.http:req_set_header("authorization", authorization)
  end
  txn.http:req_set_header("x-request-id", find(response, "x-request-id") or "")
  txn:set_var("txn.obo", "allowed")
end, 1)
