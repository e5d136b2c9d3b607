process SBCELL_RUN {
    tag "$meta.id"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    // BUILD stands for the build string, which exists once Bioconda has built the package.
    container "${ workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/sbcell:0.1.0--BUILD':
        'quay.io/biocontainers/sbcell:0.1.0--BUILD' }"

    input:
    tuple val(meta), path(h5ad), path(cells)

    output:
    tuple val(meta), path("${prefix}")                            , emit: results
    tuple val(meta), path("${prefix}/report.html")                , emit: report, optional: true
    tuple val(meta), path("${prefix}/*_mqc.json")                 , emit: multiqc, optional: true
    tuple val(meta), path("${prefix}/validation/validation.csv")  , emit: validation, optional: true
    tuple val(meta), path("${prefix}/fates.csv")                  , emit: fates, optional: true
    tuple val(meta), path("${prefix}/transitions.csv")            , emit: transitions, optional: true
    tuple val(meta), path("${prefix}/edges.csv")                  , emit: edges, optional: true
    tuple val(meta), path("${prefix}/annotated.h5ad")             , emit: h5ad, optional: true
    tuple val("${task.process}"), val('sbcell'), eval("sbcell --version | sed 's/sbcell //'"), topic: versions, emit: versions_sbcell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    def groups = cells ? "--cells ${cells}" : ''
    """
    sbcell run \\
        ${h5ad} \\
        ${groups} \\
        --out ${prefix} \\
        --threads ${task.cpus} \\
        --progress plain \\
        ${args}
    """

    stub:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo ${args}
    mkdir -p ${prefix}/validation
    touch ${prefix}/report.html
    touch ${prefix}/sbcell_mqc.json
    touch ${prefix}/validation/validation.csv
    touch ${prefix}/fates.csv
    touch ${prefix}/transitions.csv
    touch ${prefix}/edges.csv
    touch ${prefix}/annotated.h5ad
    """
}
