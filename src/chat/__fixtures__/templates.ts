/** Compact chat templates in the manner of the main families, written for these tests. */

export const chatml: string = `{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{%- endif %}`;

export const llama3: string = `{{- bos_token }}
{%- if tools is not none %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nFunctions, answer with {\\"name\\": dictionary of argument}:\\n" }}
{%- for tool in tools %}{{ tool | tojson }}{{ "\\n" }}{% endfor %}
{{- "<|eot_id|>" }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}
{{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" + message.content + "<|eot_id|>" }}
{%- elif "tool_calls" in message %}
{%- if not message.tool_calls | length == 1 %}{{ raise_exception("one call at a time") }}{% endif %}
{%- set call = message.tool_calls[0].function %}
{{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n<|python_tag|>" }}
{{- '{"name": "' + call.name + '", "parameters": ' }}{{ call.arguments | tojson }}{{ "}<|eot_id|>" }}
{%- else %}
{{- "<|start_header_id|>" + message.role + "<|end_header_id|>\\n\\n" + message.content | trim + "<|eot_id|>" }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}{% endif %}`;

/** No system role, strict alternation, tools only with the last message of the user, ids of nine characters. */
export const mistral: string = `{{- bos_token }}
{%- set ns = namespace(turn=0) %}
{%- for message in messages %}
{%- if message.role == "system" %}{{ raise_exception("no system role here") }}{% endif %}
{%- if message.role == "user" or (message.role == "assistant" and not message.tool_calls) %}
{%- if (message.role == "user") != (ns.turn % 2 == 0) %}{{ raise_exception("roles must alternate user and assistant") }}{% endif %}
{%- set ns.turn = ns.turn + 1 %}
{%- endif %}
{%- if message.role == "user" %}
{%- if tools and loop.last %}{{ "[AVAILABLE_TOOLS] " }}{{ tools | tojson }}{{ "[/AVAILABLE_TOOLS]" }}{% endif %}
{{- "[INST] " + message.content + "[/INST]" }}
{%- elif message.role == "tool" %}
{%- if message.tool_call_id | length != 9 %}{{ raise_exception("ids have length 9!") }}{% endif %}
{{- '[TOOL_RESULTS] {"content": ' }}{{ message.content | tojson }}{{ ', "call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
{%- elif message.tool_calls %}
{{- "[TOOL_CALLS] [" }}
{%- for call in message.tool_calls %}
{%- if call.id | length != 9 %}{{ raise_exception("ids have length 9!") }}{% endif %}
{{- call.function | tojson }}{{ ", " if not loop.last }}
{%- endfor %}
{{- "]" + eos_token }}
{%- else %}
{{- " " + message.content + eos_token }}
{%- endif %}
{%- endfor %}`;

/** The system text is put before the first message of the user by the template itself; the assistant is "model". */
export const gemma: string = `{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
{%- set first = messages[0]['content'] + '\\n\\n' -%}
{%- set rest = messages[1:] -%}
{%- else -%}
{%- set first = '' -%}
{%- set rest = messages -%}
{%- endif -%}
{%- for message in rest -%}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception("Conversation roles must alternate") }}{%- endif -%}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
{{ '<start_of_turn>' + role + '\\n' + (first if loop.first else '') + message['content'] | trim }}{{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}`;

export const qwen3: string = `{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{ messages[0].content + '\\n\\n' }}{% endif %}
{{- "# Tools\\n<tools>" }}
{%- for tool in tools %}{{ "\\n" }}{{ tool | tojson }}{% endfor %}
{{- "\\n</tools>\\nCall with <tool_call>{...}</tool_call><|im_end|>\\n" }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == "user" or (message.role == "system" and not loop.first) %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == "assistant" %}
{{- '<|im_start|>assistant\\n' }}
{%- if message.reasoning_content and loop.last %}{{ '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}
{{- message.content }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{%- if call.function.arguments is string %}{{ call.function.arguments }}{% else %}{{ call.function.arguments | tojson }}{% endif %}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == "tool" %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}`;

/** Opens the thoughts itself and wants arguments as text. */
export const deepseekR1: string = `{{ bos_token }}
{%- for message in messages %}
{%- if message.role == 'system' %}{{ message.content }}{% endif %}
{%- if message.role == 'user' %}{{ '<｜User｜>' + message.content }}{% endif %}
{%- if message.role == 'assistant' and not message.tool_calls %}
{%- set content = message.content.split('</think>')[-1] %}
{{- '<｜Assistant｜>' + content + eos_token }}
{%- endif %}
{%- if message.role == 'assistant' and message.tool_calls %}
{{- '<｜Assistant｜><｜tool▁calls▁begin｜>' }}
{%- for tool in message.tool_calls %}
{{- '<｜tool▁call▁begin｜>' + tool.type + '<｜tool▁sep｜>' + tool.function.name + '\\n\`\`\`json\\n' + tool.function.arguments + '\\n\`\`\`<｜tool▁call▁end｜>' }}
{%- endfor %}
{{- '<｜tool▁calls▁end｜>' + eos_token }}
{%- endif %}
{%- if message.role == 'tool' %}{{ '<｜tool▁output▁begin｜>' + message.content + '<｜tool▁output▁end｜>' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}`;
