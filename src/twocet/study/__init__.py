"""Human studies: a page that asks raters about pictures, the server that collects answers, and their analysis.

``pairs`` says who gets whose expression, ``design`` who sees what, ``stimuli`` and ``page`` write what raters see,
``server`` collects, ``responses`` joins answers with the key, ``exclusions`` applies the rules, ``statistics`` and
``analysis`` estimate, ``tables``, ``figure`` and ``report`` show. Nothing here imports torch at the top.
"""
