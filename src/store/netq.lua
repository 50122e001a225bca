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
--        DATA agent:<host>      HASH    id session mark seen skew shift connected initialized info
--        DATA s:<table>:<host>  HASH    key -> "<server time> <agent time> <row as JSON>"
--        DATA reading:<host>    SET     tables of which a full reading is under way
--        DATA sync:<table>:<host>  SET  keys seen so far by the full reading under way
--        DATA log               STREAM  h host, p prev, q seq, t agent time, d lines; r 1 if it was sent before; o, where a
--                                       row was changed or deleted: per line of d the row before as JSON, or nothing
--        DATA stats             STREAM  h host, t time of the samples by the servers' clock, d per line an interface and
--                                       its counters; one entry a batch with samples
--        DATA applied           STRING  how many batches were ever applied
--        CONTROL cluster        HASH    id servers alone generation format marker-epoch marker-n marker-time writable-since log-lost
--                                       staged staged-at ready fence restored (netq_restore says more)
--        CONTROL events         STREAM  one entry a change of master: from, to, epoch, why, last (the mark before, ms)
--        CONTROL roles          HASH    <ip> -> "<role> <since>"
--        CONTROL observed       HASH    "<table> <host> <key>" -> what the servers saw last, a row as JSON
--        CONTROL cursors        HASH    <integration> -> the last line of the log that it was told of, "<entry>.<line>"
--        CONTROL notifications  STREAM  n what was sent where, as JSON (notifier/records.ts)
--        CONTROL settings       HASH    version text: the notifier's sections of netq.yml
local DATA = '@PREFIX@d:'
local CONTROL = '@PREFIX@c:'
-- Where the keys of a backup are put until they take the place of those above, under their names there.
local STAGED = '@PREFIX@r:'
-- How the keys are laid out (backup/contents.ts reckons with it): what has another number is not understood here.
local FORMAT = '1'
-- A batch holds the master up while it is applied: 9.8 s for 4 MiB of the shortest lines (measured), 10 ms for this.
local MAX_PAYLOAD = 1024 * 1024
local MAX_LINES = 1000
local NAME = '^[%w][%w%._%-]*$'
-- An agent that takes over a host name from another one must wait until the other has been silent this long.
local TAKEOVER_MS = 90000
-- An agent's clock is taken to be right up to this difference, as by those who show its times.
local SKEW_LIMIT_MS = 5000
local SKEW_NOISE_MS = 1000

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

-- By how much the times of an agent's samples are moved: by its skew, if that is beyond the limit. It stays as it is
-- while the skew only wavers, so that a batch which is sent once more, to another master, gets the same time again and
-- its samples are the same points.
local function shift_for(known, skew)
  local shift = tonumber(known or 0)
  if math.abs(skew - shift) < SKEW_NOISE_MS then return shift end
  return math.abs(skew) > SKEW_LIMIT_MS and skew or 0
end

-- While what is stored is put aside for a backup to take its place, nothing of an agent is taken: it would be in neither.
local function fenced()
  return redis.call('HGET', CONTROL .. 'cluster', 'fence')
    and redis.error_reply('RESTORING a backup is being restored; what changes is kept, and sent after')
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
  local closed = fenced()
  if closed then return closed end
  local key = agent_key(host)
  local now = now_ms()
  local known = redis.call('HMGET', key, 'id', 'mark', 'seen', 'shift')
  if known[1] and known[1] ~= id and known[3] and now - known[3] < TAKEOVER_MS then
    return redis.error_reply('NAMEINUSE another agent calls itself ' .. host .. ' and was heard of '
      .. math.floor((now - known[3]) / 1000) .. ' s ago')
  end
  redis.call('SADD', DATA .. 'hosts', host)
  redis.call('HSET', key, 'id', id, 'session', session, 'seen', int(now), 'skew', int(now - atime),
    'shift', int(shift_for(known[4], now - atime)), 'connected', int(now))
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
  local known = redis.call('HMGET', key, 'session', 'mark', 'shift')
  if known[1] ~= session then return foreign(host) end
  local now = now_ms()
  redis.call('HSET', key, 'seen', int(now), 'skew', int(now - atime),
    'shift', int(shift_for(known[3], now - atime)), 'info', info)
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
    elseif op == 'A' then
      -- Only what needs no escape on its way into InfluxDB.
      local key, row = string.match(rest, '^\t([%w%._%-@+]+)\t({["%w_:,]*})$')
      if tbl ~= 'interface-stats' or not key or #key > 64 or not is_json(row) then
        return nil, 'line ' .. n .. ' is no sample'
      end
      changes[n] = { op, tbl, key, row, line }
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

-- A row as the agent wrote it, from what is stored; '' if nothing is.
local function row_of(stored)
  return stored and string.match(stored, '^%d+ %d+ (.*)$') or ''
end

-- Carries the changes out on the state; returns the lines that the log keeps, for each the row before ('' for none), and
-- the samples, which are no part of the state.
local function carry_out(host, changes, stamp)
  local kept, before, samples = {}, {}, {}
  local reading = DATA .. 'reading:' .. host
  local function keep(line, old)
    kept[#kept + 1] = line
    before[#kept] = row_of(old)
  end
  for _, change in ipairs(changes) do
    local op, tbl, key, row, line = change[1], change[2], change[3], change[4], change[5]
    local state = tbl and (DATA .. 's:' .. tbl .. ':' .. host)
    local sync = tbl and (DATA .. 'sync:' .. tbl .. ':' .. host)
    if op == 'P' then
      keep(line, redis.call('HGET', state, key))
      redis.call('HSET', state, key, stamp .. row)
    elseif op == 'D' then
      keep(line, redis.call('HGET', state, key))
      redis.call('HDEL', state, key)
    elseif op == 'B' then
      redis.call('DEL', sync)
      redis.call('SADD', reading, tbl)
      redis.call('HSET', agent_key(host), 'initialized', string.match(stamp, '^%d+'))
    elseif op == 'S' then
      if redis.call('SISMEMBER', reading, tbl) == 1 then redis.call('SADD', sync, key) end
      local old = redis.call('HGET', state, key)
      if row_of(old) ~= row then
        redis.call('HSET', state, key, stamp .. row)
        keep('P' .. string.sub(line, 2), old)
      end
    elseif op == 'E' then
      -- Only a reading that is whole says what is gone.
      if redis.call('SREM', reading, tbl) == 1 then
        for _, known in ipairs(redis.call('HKEYS', state)) do
          if redis.call('SISMEMBER', sync, known) == 0 then
            keep('D\t' .. tbl .. '\t' .. known, redis.call('HGET', state, known))
            redis.call('HDEL', state, known)
          end
        end
        redis.call('DEL', sync)
      end
    elseif op == 'A' then
      samples[#samples + 1] = key .. '\t' .. row
    else
      -- The gap may have taken rows of the readings under way: their ends must not delete what they lack.
      for _, name in ipairs(redis.call('SMEMBERS', reading)) do
        redis.call('DEL', DATA .. 'sync:' .. name .. ':' .. host)
      end
      redis.call('DEL', reading)
      keep(line)
    end
  end
  return kept, before, samples
end

-- Appends the samples of a batch to the statistics; nothing if there are none. What claims to be of the future was
-- counted by a clock that has been set since the last heartbeat: its time is that of its receipt.
local function append_samples(host, samples, time, now)
  if #samples == 0 then return end
  if time < 0 or time > now + SKEW_LIMIT_MS + SKEW_NOISE_MS then time = now end
  redis.call('XADD', DATA .. 'stats', '*', 'h', host, 't', int(time), 'd', table.concat(samples, '\n'))
end

-- Appends to the log what was changed; nothing if nothing was.
local function log_changes(host, prev, seq, time, kept, before, resent)
  if #kept == 0 then return end
  local entry = { 'h', host, 'p', prev, 'q', seq, 't', time, 'd', table.concat(kept, '\n') }
  if resent then
    entry[#entry + 1] = 'r'
    entry[#entry + 1] = '1'
  end
  local olds = table.concat(before, '\n')
  if string.find(olds, '{', 1, true) then
    entry[#entry + 1] = 'o'
    entry[#entry + 1] = olds
  end
  redis.call('XADD', DATA .. 'log', '*', unpack(entry))
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
  local known = redis.call('HMGET', key, 'session', 'mark', 'shift')
  if known[1] ~= session then return foreign(host) end
  local closed = fenced()
  if closed then return closed end
  local mark = tonumber(known[2] or 0)
  if seq <= mark then return answer('KNOWN', mark) end
  if prev ~= mark then return answer('GAP', mark) end
  local changes, wrong = parse(payload)
  if not changes then return refuse(wrong) end
  local now = now_ms()
  local kept, before, samples = carry_out(host, changes, int(now) .. ' ' .. int(atime) .. ' ')
  log_changes(host, args[3], args[4], args[5], kept, before, args[7])
  append_samples(host, samples, atime + tonumber(known[3] or 0), now)
  redis.call('HSET', key, 'mark', int(seq), 'seen', int(now))
  redis.call('INCR', DATA .. 'applied')
  return answer('OK', seq)
end

-- netq_marker epoch keep-from keep-stats-from why [ip role]...        (cts-auth of the master, every second)
-- Proves that the master can be written to, and orders the servers' copies: (epoch, n) grows with every call.
-- keep-from, keep-stats-from: entries of the log and of the statistics older than this time (ms) are forgotten. Roles
-- that changed get a new "since"; a new master is written down with the reason `why`. Returns the new n.
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
  -- The newest entry that may be forgotten: who was not told of it will not be.
  local oldest = redis.call('XREVRANGE', DATA .. 'log', int(math.max(0, args[2] - 1)), '-', 'COUNT', 1)[1]
  if oldest then redis.call('HSET', cluster, 'log-lost', oldest[1]) end
  redis.call('XTRIM', DATA .. 'log', 'MINID', '~', args[2])
  redis.call('XTRIM', DATA .. 'stats', 'MINID', '~', args[3])
  local roles = CONTROL .. 'roles'
  local present, from, to = {}, nil, nil
  for i = 5, #args, 2 do
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
      'epoch', int(epoch), 'why', args[4], 'last', known[1] or '')
  end
  return redis.call('HINCRBY', cluster, 'marker-n', 1)
end

-- netq_cluster id generation servers [alone]                (cts-auth of the master)
-- Writes down which cluster this store belongs to and the order of its servers, space separated ('' while HA is off);
-- the servers and the agents learn it here. With `alone`, that server is to go on as the only one, HA being turned off;
-- the servers learn that at once, the agents when it does. A generation that is older than the known one is refused (STALE).
local function cluster(_, args)
  local known = redis.call('HMGET', CONTROL .. 'cluster', 'id', 'generation')
  if known[1] == args[1] and known[2] and tonumber(args[2]) < tonumber(known[2]) then
    return redis.error_reply('STALE the configuration has been changed meanwhile, to generation ' .. known[2])
  end
  redis.call('HSET', CONTROL .. 'cluster', 'id', args[1], 'generation', args[2], 'servers', args[3], 'alone', args[4] or '',
    'format', FORMAT)
  return 'OK'
end

local function last_id(stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

-- Whether the id a of a stream's entry is after b.
local function is_after(a, b)
  local a_ms, a_n = string.match(a, '^(%d+)%-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)%-(%d+)$')
  if a_ms == b_ms then return tonumber(a_n) > tonumber(b_n) end
  return tonumber(a_ms) > tonumber(b_ms)
end

local function unlink_all(pattern)
  for _, key in ipairs(redis.call('KEYS', pattern)) do redis.call('UNLINK', key) end
end

-- Puts the staged keys in the place of the agents' data and of what the servers saw. The cluster, its history, the settings
-- and the cursors of the notifier stay as they are; where there are none, those of the backup are taken. So do the
-- samples, which the InfluxDBs here have read already. Nothing goes back that orders copies or entries of the log.
local function swap(id, name)
  local log = last_id(DATA .. 'log')
  local applied = tonumber(redis.call('GET', DATA .. 'applied') or 0)
  local samples = redis.call('EXISTS', DATA .. 'stats') == 1
  for _, key in ipairs(redis.call('KEYS', DATA .. '*')) do
    if key ~= DATA .. 'stats' then redis.call('UNLINK', key) end
  end
  redis.call('UNLINK', CONTROL .. 'observed')
  for _, key in ipairs(redis.call('KEYS', STAGED .. '*')) do
    local place = '@PREFIX@' .. string.sub(key, #STAGED + 1)
    if redis.call('EXISTS', place) == 1 then redis.call('UNLINK', key) else redis.call('RENAME', key, place) end
  end
  if redis.call('EXISTS', DATA .. 'log') == 1 and is_after(log, last_id(DATA .. 'log')) then
    redis.call('XSETID', DATA .. 'log', log)
  end
  redis.call('SET', DATA .. 'applied', int(math.max(applied, tonumber(redis.call('GET', DATA .. 'applied') or 0))))
  local now = int(now_ms())
  redis.call('HSET', CONTROL .. 'cluster', 'restored', id .. ' ' .. now .. ' ' .. name, 'writable-since', now)
  redis.call('HINCRBY', CONTROL .. 'cluster', 'marker-n', 1)
end

-- netq_restore begin|stage|ready|fence|drop|swap id [name]        (cts-auth; docs/decisions/13-backup.md)
-- The steps of a restore. begin: what was staged before is dropped, and `id` is staged from now on; stage: that goes on;
-- ready: all of it is there (a replica that has this has all that came before); fence: nothing of an agent is taken any more; drop: it is given up, and all is as it was; swap: what is staged takes its
-- place, at once. STALE if another restore is staged.
local function restore(_, args)
  local step, id = args[1], args[2]
  local cluster = CONTROL .. 'cluster'
  local staged = redis.call('HGET', cluster, 'staged')
  if step ~= 'begin' and staged ~= id then
    return redis.error_reply('STALE what was read of the backup is not in the store any more')
  end
  if step == 'begin' then
    unlink_all(STAGED .. '*')
    redis.call('HDEL', cluster, 'fence', 'ready')
  end
  if step == 'swap' and redis.call('HGET', cluster, 'ready') ~= id then
    return redis.error_reply('STALE not all of the backup is in the store')
  end
  if step == 'begin' or step == 'stage' or step == 'ready' then
    redis.call('HSET', cluster, 'staged', id, 'staged-at', int(now_ms()))
    if step == 'ready' then redis.call('HSET', cluster, 'ready', id) end
  elseif step == 'fence' then
    redis.call('HSET', cluster, 'fence', id)
  else
    if step == 'swap' then swap(id, args[3]) else unlink_all(STAGED .. '*') end
    redis.call('HDEL', cluster, 'staged', 'staged-at', 'ready', 'fence')
  end
  return 'OK'
end

-- netq_observe [table host key row]...                              (the notifier of the master)
-- What the servers themselves see of the agents and of each other; a row '' is gone. What differs from the last time
-- goes to the log, as a change with the batch number 0. Returns how many did.
local function observe(_, args)
  local now, differing = int(now_ms()), 0
  for i = 1, #args, 4 do
    local tbl, host, key, row = args[i], args[i + 1], args[i + 2], args[i + 3]
    local field = tbl .. '\t' .. host .. '\t' .. key
    local old = redis.call('HGET', CONTROL .. 'observed', field) or ''
    if old ~= row then
      differing = differing + 1
      local line = tbl .. '\t' .. key
      if row == '' then
        redis.call('HDEL', CONTROL .. 'observed', field)
        line = 'D\t' .. line
      else
        redis.call('HSET', CONTROL .. 'observed', field, row)
        line = 'P\t' .. line .. '\t' .. row
      end
      log_changes(host, '0', '0', now, { line }, { old })
    end
  end
  return differing
end

-- netq_notified integration cursor [record]...                         (the notifier of the master)
-- This integration was told of all up to the cursor. Without records nothing new was sent: a proof that the master can
-- still be written to.
local function notified(_, args)
  redis.call('HSET', CONTROL .. 'cursors', args[1], args[2])
  for i = 3, #args do
    redis.call('XADD', CONTROL .. 'notifications', 'MAXLEN', '~', '10000', '*', 'n', args[i])
  end
  return 'OK'
end

-- netq_settings version text          (cts-auth, and the notifier of a server where netq.yml was edited)
-- The notifier's settings, made from those of this version; STALE if that is not the newest. Returns the new version.
local function settings(_, args)
  local known = redis.call('HGET', CONTROL .. 'settings', 'version') or '0'
  if known ~= args[1] then
    return redis.error_reply('STALE the settings of the notifier have been changed meanwhile, to version ' .. known)
  end
  redis.call('HSET', CONTROL .. 'settings', 'version', int(tonumber(known) + 1), 'text', args[2])
  return tonumber(known) + 1
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
redis.register_function('netq_restore', restore)
redis.register_function('netq_observe', observe)
redis.register_function('netq_notified', notified)
redis.register_function('netq_settings', settings)
redis.register_function{ function_name = 'netq_hosts', callback = hosts, flags = { 'no-writes' } }
redis.register_function{ function_name = 'netq_rows', callback = rows, flags = { 'no-writes' } }
