#!lua name=netq
-- The only way to write to the store. Loaded on the master, replicated to the others.
--
-- Every key begins with a secret of the cluster. Redis checks a script's commands against the *caller's* rights
-- (measured on 7.0.15), so the network's user must hold the rights to HSET, XADD ...; it holds them for DATA* only,
-- cannot list keys or read this source, and so can use them through these functions alone. CONTROL* it may only
-- read: the functions for cts-auth fail at their first write when the network calls them.
--
-- KEYS: none (the store is not a Redis Cluster; keys follow from the arguments). Times are milliseconds.
-- Keys:  DATA hosts             SET     host names that ever said hello
--        DATA agent:<host>      HASH    id session mark seen skew connected initialized info
--        DATA s:<table>:<host>  HASH    key -> "<server time> <agent time> <row as JSON>"
--        DATA reading:<host>    SET     tables of which a full reading is under way
--        DATA sync:<table>:<host>  SET  keys seen so far by the full reading under way
--        DATA log               STREAM  h host, p prev, q seq, t agent time, d lines, and r 1 if it was sent before
--        DATA applied           STRING  how many batches were ever applied
--        CONTROL cluster        HASH    id servers generation marker-epoch marker-n marker-time writable-since
--        CONTROL events         STREAM  one entry a change of master: from, to, epoch, why, last (the mark before, ms)
--        CONTROL roles          HASH    <ip> -> "<role> <since>"
local DATA = '@PREFIX@d:'
local CONTROL = '@PREFIX@c:'
-- A batch holds the master up while it is applied: 9.8 s for 4 MiB of the shortest lines (measured), 10 ms for this.
local MAX_PAYLOAD = 1024 * 1024
local MAX_LINES = 1000
local NAME = '^[%w][%w%._%-]*$'
-- An agent that takes over a host name from another one must wait until the other has been silent this long.
local TAKEOVER_MS = 90000

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- 1795446667087 and not 1.795446667087e+12, as Lua would print it.
local function int(n)
  return string.format('%.0f', n)
end

-- JSON as every reader takes it: cjson alone would also take NaN, hexadecimal numbers and raw control characters.
local function is_json(text)
  cjson.decode_invalid_numbers(false)
  return not string.find(text, '%c') and (pcall(cjson.decode, text))
end

local function refuse(reason)
  return redis.error_reply('REFUSED ' .. reason)
end

local function whole(text)
  local n = text and string.match(text, '^%d+$') and tonumber(text)
  return n and n < 9007199254740992 and n or nil
end

local function agent_key(host)
  return DATA .. 'agent:' .. host
end

local function check_host(host)
  if not host or #host > 253 or not string.match(host, NAME) then return 'the host name is not one' end
end

local function answer(status, mark)
  local c = redis.call('HMGET', CONTROL .. 'cluster', 'servers', 'id')
  return { status, int(mark), c[1] or '', c[2] or '' }
end

-- netq_hello host id session agent-time
-- Makes the agent `id` the owner of its host name, and `session` the only connection that may write for it: what an
-- earlier connection still has on the way is refused from here on, so that the answered mark is the last word.
-- Returns {OK, mark, servers, cluster id}; NAMEINUSE if another agent of that name was heard of in the last 90 s.
local function hello(_, args)
  local host, id, session, atime = args[1], args[2], args[3], whole(args[4])
  local problem = check_host(host)
  if problem then return refuse(problem) end
  if not id or not string.match(id, '^[%x%-]+$') then return refuse('the agent id is not one') end
  if not session or not string.match(session, '^[%x%-]+$') then return refuse('the session is not one') end
  if not atime then return refuse('the agent time is not a number of milliseconds') end
  local key = agent_key(host)
  local now = now_ms()
  local known = redis.call('HMGET', key, 'id', 'mark', 'seen')
  if known[1] and known[1] ~= id and known[3] and now - known[3] < TAKEOVER_MS then
    return redis.error_reply('NAMEINUSE another agent calls itself ' .. host .. ' and was heard of '
      .. math.floor((now - known[3]) / 1000) .. ' s ago')
  end
  redis.call('SADD', DATA .. 'hosts', host)
  redis.call('HSET', key, 'id', id, 'session', session, 'seen', int(now), 'skew', int(now - atime),
    'connected', int(now))
  return answer('OK', tonumber(known[2] or 0))
end

local function foreign(host)
  return redis.error_reply('FOREIGN another agent or connection writes for ' .. host .. ' now')
end

-- netq_beat host session agent-time info
-- "I live": not numbered, not logged. info: JSON, what the agent says of itself (types.ts, AgentInfo).
-- Returns {OK, mark, servers, cluster id}.
local function beat(_, args)
  local host, session, atime, info = args[1], args[2], whole(args[3]), args[4]
  local problem = check_host(host)
  if problem then return refuse(problem) end
  if not atime or not info or #info > 4096 or not is_json(info) then
    return refuse('the heartbeat is not well formed')
  end
  local key = agent_key(host)
  local known = redis.call('HMGET', key, 'session', 'mark')
  if known[1] ~= session then return foreign(host) end
  local now = now_ms()
  redis.call('HSET', key, 'seen', int(now), 'skew', int(now - atime), 'info', info)
  return answer('OK', tonumber(known[2] or 0))
end

-- The lines of a payload as {op, table, key, row}; or nil and what is wrong. Nothing has been written by then.
local function parse(payload)
  local changes, ends = {}, 0
  for line in string.gmatch(payload, '([^\n]+)') do
    local op, tbl, rest = string.match(line, '^(%u)\t([a-z][a-z0-9%-]*)(.*)$')
    local n = #changes + 1
    if n > MAX_LINES then return nil, 'it has more than 1000 lines' end
    if op == 'P' or op == 'S' then
      local key, row = string.match(rest, '^\t([^\t]+)\t({.*})$')
      if not key or #key > 1024 then return nil, 'line ' .. n .. ' is not a key and a row' end
      if not is_json(row) then return nil, 'line ' .. n .. ' is not JSON' end
      changes[n] = { op, tbl, key, row, line }
    elseif op == 'D' then
      local key = string.match(rest, '^\t([^\t]+)$')
      if not key then return nil, 'line ' .. n .. ' names no key' end
      changes[n] = { op, tbl, key, nil, line }
    elseif op and (op == 'B' or op == 'E') and rest == '' then
      -- The end of a reading looks at every row of its table: once a batch.
      if op == 'E' then ends = ends + 1 end
      if ends > 1 then return nil, 'it ends more than one full reading' end
      changes[n] = { op, tbl, nil, nil, line }
    elseif string.match(line, '^G\t%d+\t%d+\t[^\t]+$') then
      changes[n] = { 'G', nil, nil, nil, line }
    else
      return nil, 'line ' .. n .. ' is no change'
    end
  end
  if #changes == 0 then return nil, 'it is empty' end
  return changes
end

-- Carries the changes out on the state; returns the lines that the log keeps.
local function carry_out(host, changes, stamp)
  local kept = {}
  local reading = DATA .. 'reading:' .. host
  local function keep(line) kept[#kept + 1] = line end
  for _, change in ipairs(changes) do
    local op, tbl, key, row, line = change[1], change[2], change[3], change[4], change[5]
    local state = tbl and (DATA .. 's:' .. tbl .. ':' .. host)
    local sync = tbl and (DATA .. 'sync:' .. tbl .. ':' .. host)
    if op == 'P' then
      redis.call('HSET', state, key, stamp .. row)
      keep(line)
    elseif op == 'D' then
      redis.call('HDEL', state, key)
      keep(line)
    elseif op == 'B' then
      redis.call('DEL', sync)
      redis.call('SADD', reading, tbl)
      redis.call('HSET', agent_key(host), 'initialized', string.match(stamp, '^%d+'))
    elseif op == 'S' then
      if redis.call('SISMEMBER', reading, tbl) == 1 then redis.call('SADD', sync, key) end
      local old = redis.call('HGET', state, key)
      if not old or string.match(old, '^%d+ %d+ (.*)$') ~= row then
        redis.call('HSET', state, key, stamp .. row)
        keep('P' .. string.sub(line, 2))
      end
    elseif op == 'E' then
      -- Only a reading that is whole says what is gone.
      if redis.call('SREM', reading, tbl) == 1 then
        for _, known in ipairs(redis.call('HKEYS', state)) do
          if redis.call('SISMEMBER', sync, known) == 0 then
            redis.call('HDEL', state, known)
            keep('D\t' .. tbl .. '\t' .. known)
          end
        end
        redis.call('DEL', sync)
      end
    else
      -- The gap may have taken rows of the readings under way: their ends must not delete what they lack.
      for _, name in ipairs(redis.call('SMEMBERS', reading)) do
        redis.call('DEL', DATA .. 'sync:' .. name .. ':' .. host)
      end
      redis.call('DEL', reading)
      keep(line)
    end
  end
  return kept
end

-- netq_apply host session prev seq agent-time payload ["resent"]
-- Applies a batch if it follows this agent's mark; all of it or nothing.
-- Returns {OK, mark, ...} applied; {KNOWN, mark, ...} it was applied before; {GAP, mark, ...} it does not follow the mark.
-- REFUSED reason: it is malformed; nothing was changed. FOREIGN: another session writes for this host now.
local function apply(_, args)
  local host, session, payload = args[1], args[2], args[6]
  local prev, seq, atime = whole(args[3]), whole(args[4]), whole(args[5])
  local problem = check_host(host)
  if problem then return refuse(problem) end
  if not prev or not seq or prev >= seq or not atime then return refuse('the numbers of the batch are not well formed') end
  if not payload or #payload > MAX_PAYLOAD then return refuse('the batch is larger than 1 MiB') end
  local key = agent_key(host)
  local known = redis.call('HMGET', key, 'session', 'mark')
  if known[1] ~= session then return foreign(host) end
  local mark = tonumber(known[2] or 0)
  if seq <= mark then return answer('KNOWN', mark) end
  if prev ~= mark then return answer('GAP', mark) end
  local changes, wrong = parse(payload)
  if not changes then return refuse(wrong) end
  local now = now_ms()
  local kept = carry_out(host, changes, int(now) .. ' ' .. int(atime) .. ' ')
  if #kept > 0 then
    local entry = { 'h', host, 'p', args[3], 'q', args[4], 't', args[5], 'd', table.concat(kept, '\n') }
    if args[7] then
      entry[11], entry[12] = 'r', '1'
    end
    redis.call('XADD', DATA .. 'log', '*', unpack(entry))
  end
  redis.call('HSET', key, 'mark', int(seq), 'seen', int(now))
  redis.call('INCR', DATA .. 'applied')
  return answer('OK', seq)
end

-- netq_marker epoch keep-from why [ip role]...        (cts-auth of the master, every second)
-- Proves that the master can be written to, and orders the servers' copies: (epoch, n) grows with every call.
-- keep-from: log entries older than this time (ms) are forgotten. Roles that changed get a new "since"; a new master
-- is written down with the reason `why`. Returns the new n.
local function marker(_, args)
  local cluster = CONTROL .. 'cluster'
  local now = now_ms()
  local known = redis.call('HMGET', cluster, 'marker-time', 'marker-epoch', 'writable-since')
  -- Five missed marks are an interruption: agents may have been unable to write, so silence is counted from here.
  if not known[1] or not known[3] or now - known[1] > 5000 then
    redis.call('HSET', cluster, 'writable-since', int(now))
  end
  local epoch = math.max(whole(args[1]) or 0, tonumber(known[2] or 0))
  redis.call('HSET', cluster, 'marker-epoch', int(epoch), 'marker-time', int(now))
  redis.call('XTRIM', DATA .. 'log', 'MINID', '~', args[2])
  local roles = CONTROL .. 'roles'
  local present, from, to = {}, nil, nil
  for i = 4, #args, 2 do
    local ip, role = args[i], args[i + 1]
    present[ip] = true
    local old = redis.call('HGET', roles, ip)
    local was = old and string.match(old, '^(%S+)')
    if was ~= role then redis.call('HSET', roles, ip, role .. ' ' .. int(now)) end
    if was == 'master' and role ~= 'master' then from = ip end
    if was ~= 'master' and role == 'master' then to = ip end
  end
  for _, ip in ipairs(redis.call('HKEYS', roles)) do
    if not present[ip] then
      if string.match(redis.call('HGET', roles, ip), '^master') then from = ip end
      redis.call('HDEL', roles, ip)
    end
  end
  if to then
    redis.call('XADD', CONTROL .. 'events', 'MAXLEN', '~', '1000', '*', 'from', from or '', 'to', to,
      'epoch', int(epoch), 'why', args[3], 'last', known[1] or '')
  end
  return redis.call('HINCRBY', cluster, 'marker-n', 1)
end

-- netq_cluster id generation servers                        (cts-auth of the master)
-- Writes down which cluster this store belongs to and the order of its servers, space separated ('' while HA is off);
-- the servers and the agents learn it here. A generation that is older than the known one is refused (STALE).
local function cluster(_, args)
  local known = redis.call('HMGET', CONTROL .. 'cluster', 'id', 'generation')
  if known[1] == args[1] and known[2] and tonumber(args[2]) < tonumber(known[2]) then
    return redis.error_reply('STALE the configuration has been changed meanwhile, to generation ' .. known[2])
  end
  redis.call('HSET', CONTROL .. 'cluster', 'id', args[1], 'generation', args[2], 'servers', args[3])
  return 'OK'
end

-- netq_hosts        read only: the names of all hosts.
local function hosts()
  return redis.call('SMEMBERS', DATA .. 'hosts')
end

-- netq_rows table host        read only: {key, "<server time> <agent time> <row>", ...} of one table of one host.
local function rows(_, args)
  if not args[1] or not string.match(args[1], '^[a-z][a-z0-9%-]*$') or not args[2] or not string.match(args[2], NAME) then
    return refuse('give a table and a host name')
  end
  return redis.call('HGETALL', DATA .. 's:' .. args[1] .. ':' .. args[2])
end

redis.register_function('netq_hello', hello)
redis.register_function('netq_beat', beat)
redis.register_function('netq_apply', apply)
redis.register_function('netq_marker', marker)
redis.register_function('netq_cluster', cluster)
redis.register_function{ function_name = 'netq_hosts', callback = hosts, flags = { 'no-writes' } }
redis.register_function{ function_name = 'netq_rows', callback = rows, flags = { 'no-writes' } }
